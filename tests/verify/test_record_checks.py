"""One record forged at a time, sealed again with the id that its fields give."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qipo_ray.config import config_hash, from_dict, stage_keys
from qipo_ray.data.tasks import get_task
from qipo_ray.store.files import sealed, unsealed
from qipo_ray.store.records import read_records, write_record
from qipo_ray.verify import verify

Record = dict[str, Any]
Forge = Callable[[Callable[[Record], object], str, float], Path]
Faults = Callable[[Path], list[tuple[str, str]]]


def put(*keys: str | int, to: Any) -> Callable[[Record], None]:
    """Return an edit of what lies under nested keys."""

    def edit(record: Record) -> None:
        part: Any = record
        for key in keys[:-1]:
            part = part[key]
        part[keys[-1]] = to

    return edit


@pytest.mark.slow_after(4)
@pytest.mark.parametrize(
    ("edit", "what"),
    [
        (put("config", "policy", "beta", to=7.0), "config_hash: "),
        (put("config", "policy", "beta", to=-1.0), "policy.beta must be a finite number"),
        (put("config", "policy", "gamma", to=1.0), "unknown key 'policy.gamma'"),
        (put("config_hash", to="0" * 16), "config_hash: '0000000000000000', not"),
        (put("jobs", "behaviour", to="0" * 16), "jobs.behaviour: '0000000000000000', not"),
        (put("jobs", "critic", to="0" * 16), "jobs.critic: "),
        (put("jobs", "policy", to=None), "jobs.policy: None, not"),
        (put("label", "method", to="QIPO-Diff"), "label.method: 'QIPO-Diff', not 'QIPO-OT'"),
        (put("label", "departures", to=[]), "label.departures: []"),
        (put("protocol", "episodes", to=10), "protocol.episodes: 10, not 100"),
        (put("protocol", "best_of", to=9), "protocol.best_of: 9, not 1"),
        (put("protocol", "steps", to=99), "protocol.steps: 99"),
        (put("data", "task", to="maze2d-umaze"), "data.task: 'maze2d-umaze', not 'point'"),
        (put("data", "source", to="d4rl"), 'data.source: "d4rl", others of the data'),
        (put("data", "rows", to=9), "data.rows: 9, others"),
        (put("data", "sha256", to="b" * 64), "made with other data than sweep.yaml names"),
        (put("final", "last", "normalised", to=150.0), "final.last: 150.0 at 3000 updates"),
        (put("final", "last3", to=150.0), "final.last3: 150.0, not"),
        (put("final", "best", "normalised", to=150.0), "final.best: 150.0"),
        (put("final", "best", to=None), "final.best: None, not 135.0"),
        (put("scores", to=[]), "final.last: 135.0 at 3000 updates, not None"),
        (put("scores", 1, "episodes", to=1), "scores: not where a whole run is scored"),
        (put("reached", "updates", to=2000), "scores: not where a whole run is scored"),
        (put("behaviour_cloning", to=None), "behaviour_cloning: missing"),
        (put("behaviour_cloning", "updates", to=9), "behaviour_cloning: not after its whole"),
        (put("state", to="pruned"), "final.last: 135.0 at 3000 updates, not None"),
        (put("sweep", to="other"), "of another sweep, 'other'"),
    ],
)
def test_a_record_that_does_not_agree_with_itself(
    root: Path, forge: Forge, faults: Faults, edit: Callable[[Record], None], what: str
) -> None:
    path = forge(edit, "confirm", 20.0)
    assert any(what in words for place, words in faults(root) if place.endswith(path.name)), (
        faults(root)
    )


def on_d4rl(source: str, sha256: str, task: str) -> Callable[[Record], None]:
    def edit(record: Record) -> None:
        record["task"] = record["data"]["task"] = task
        record["data"] |= {"source": source, "sha256": sha256}

    return edit


HOPPER = get_task("hopper-medium-v2")


@pytest.mark.parametrize(
    ("source", "sha256", "task", "kind"),
    [
        ("d4rl", str(HOPPER.sha256), HOPPER.id, None),
        ("d4rl", "a" * 64, HOPPER.id, "faults"),
        ("d4rl, unverified", "a" * 64, HOPPER.id, "faults"),
        ("d4rl", "a" * 64, "maze2d-umaze-v1", "remarks"),  # of earlier versions
        ("d4rl, unverified", "a" * 64, "maze2d-umaze-v1", None),
        ("other", "a" * 64, HOPPER.id, None),
    ],
)
def test_d4rls_name_needs_d4rls_hash(
    root: Path, forge: Forge, source: str, sha256: str, task: str, kind: str | None
) -> None:
    path = forge(on_d4rl(source, sha256, task), "confirm", 20.0)
    report = verify(root)
    for name, findings in (("faults", report.faults), ("remarks", report.remarks)):
        told = [one.what for one in findings if one.place.endswith(path.name)]
        assert any("data.source" in what for what in told) == (name == kind), told


def test_a_last_score_that_is_changed_everywhere_is_not_the_note(
    root: Path, forge: Forge, faults: Faults
) -> None:
    def edit(record: Record) -> None:
        score = record["scores"][-1]
        score["normalised"] = 150.0
        values = [one["normalised"] for one in record["scores"]]
        record["final"] |= {"last": score, "best": score, "last3": sum(values) / 3}

    path = forge(edit, "confirm", 20.0)
    places = [place for place, what in faults(root) if "not the score in record" in what]
    assert len(places) == 1 and path.stem not in places[0] and "note-score-000003000" in places[0]


@pytest.mark.slow_after(1)
@pytest.mark.parametrize("key", ["mean", "std", "normalised"])
def test_cloning_that_is_not_the_note(root: Path, forge: Forge, faults: Faults, key: str) -> None:
    forge(put("behaviour_cloning", key, to=3.25), "confirm", 20.0)
    places = [place for place, what in faults(root) if "not the score in record" in what]
    assert len(places) == 1 and places[0].startswith("artefacts/behaviour-")


def test_another_version_may_have_derived_and_named_otherwise(root: Path, forge: Forge) -> None:
    def edit(record: Record) -> None:
        record["provenance"]["version"] = "0.0.9"
        record["label"]["departures"] = ["small-net"]
        record["label"]["name"] = "best of search"

    path = forge(edit, "confirm", 20.0)
    verdict = verify(root)
    (remark,) = [one for one in verdict.remarks if one.place == f"records/{path.name}"]
    assert "label.departures: ['small-net'], not" in remark.what
    assert "made by qipo_ray 0.0.9" in remark.what
    assert [one for one in verdict.faults if one.place == f"records/{path.name}"] == []


def test_a_record_that_is_changed_without_a_seal(root: Path, faults: Faults) -> None:
    record = read_records(root)[0]
    path = root / "records" / f"{record['id']}.json"
    path.write_bytes(path.read_bytes().replace(b'"seed": ', b'"seed": 1'))
    assert (f"records/{path.name}", "check sum does not match") in faults(root)


def test_a_record_beside_the_sweep_is_a_remark(
    root: Path, make_record: Callable[..., Record]
) -> None:
    """`qipo-ray train --results SWEEP`; its configuration is of a test, and so a fault."""
    write_record(root, make_record(1.0, sweep="books", task="point"))
    remarks = [one.what for one in verify(root).remarks]
    assert "no run of the sweep: made by `qipo-ray train` in its folder" in remarks


def test_the_state_of_a_run_that_diverged_needs_a_note(
    root: Path, forge: Forge, faults: Faults
) -> None:
    def edit(record: Record) -> None:
        record |= {"state": "diverged", "reason": "as forged"}
        record["final"] = dict.fromkeys(record["final"])

    path = forge(edit, "confirm", 20.0)
    assert "no job of it left a note" in dict(faults(root))[f"records/{path.name}"]
    record = unsealed(path.read_bytes())
    note = {"note": {"updates": 3000, "reason": "as forged"}}
    folder = root / "artefacts" / f"policy-{record['jobs']['policy']}"
    (folder / "note-diverged.json").write_bytes(sealed(note))
    (root / "leaderboard" / "leaderboard.json").unlink()
    assert not any(place.startswith("records/") for place, _ in faults(root))


def test_what_the_builder_makes_follows_from_its_configuration(root: Path) -> None:
    """The test of the test: keys and hashes as the program itself makes them."""
    for record in read_records(root):
        config = from_dict(record["config"], "test")
        assert record["config_hash"] == config_hash(config)
        assert record["jobs"] == stage_keys(config, "point", "a" * 64, record["seed"])
