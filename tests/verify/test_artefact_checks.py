"""ArtefactStore: damaged, and gone though a record rests on them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qipo_ray.store.artefacts import ArtefactStore
from qipo_ray.store.files import sealed, unsealed
from qipo_ray.store.records import read_records
from qipo_ray.verify import verify

Faults = Callable[[Path], list[tuple[str, str]]]


def jobs(root: Path, purpose: str, beta: float) -> dict[str, Path]:
    """Return the folders of one run's jobs."""
    record = next(
        record
        for record in read_records(root)
        if (record["purpose"], record["config"]["policy"]["beta"]) == (purpose, beta)
    )
    return {stage: root / "artefacts" / f"{stage}-{key}" for stage, key in record["jobs"].items()}


@pytest.mark.faults
def test_a_flipped_byte_of_any_snapshot_is_found(root: Path, faults: Faults) -> None:
    for path in sorted(root.glob("artefacts/*/*.pt")):
        whole = path.read_bytes()
        path.write_bytes(whole[:70] + bytes([whole[70] ^ 1]) + whole[71:])
        (place, what), *others = faults(root)
        assert Path(place).parent.name == path.parent.name and "SHA-256" in what
        assert all("no sound weights" in other for _, other in others)
        path.write_bytes(whole)
    assert faults(root) == []


@pytest.mark.slow_after(2)
@pytest.mark.parametrize("stage", ["behaviour", "critic", "policy"])
@pytest.mark.parametrize(("purpose", "beta"), [("confirm", 20.0), ("search", 10.0)])
def test_weights_of_any_stage_that_are_gone(
    root: Path, faults: Faults, stage: str, purpose: str, beta: float
) -> None:
    folder = jobs(root, purpose, beta)[stage]
    for path in [*folder.glob("[0-9]*.json"), *folder.glob("*.pt")]:
        path.unlink()
    updates = {"behaviour": 5000, "critic": 3500, "policy": 3000}[stage]
    ((place, what),) = faults(root)
    assert place == f"artefacts/{folder.name}"
    assert what.startswith(f"no sound weights at {updates} updates, on which record")
    shutil.rmtree(folder)
    assert (place, what) in faults(root)


def test_the_greedy_score_of_a_critic_has_its_note(root: Path, faults: Faults) -> None:
    path = next(
        path
        for path in sorted(root.glob("records/*.json"))
        if unsealed(path.read_bytes())["purpose"] == "confirm"
    )
    record = unsealed(path.read_bytes())
    score = dict(record["final"]["last"], updates=3500)
    numbers = (
        "action_std", "q_std", "disagreement", "error", "correlation", "q_mean", "return_mean",
        "return_std",
    )  # fmt: skip
    record["critic_report"] = {
        "updates": 3500, "rows": 512, "actions": 16, "warnings": [], "best_of": score,
        **dict.fromkeys(numbers, 1.0),
    }  # fmt: skip
    path.write_bytes(sealed(record))
    ((place, what),) = faults(root)
    assert place.startswith(f"artefacts/critic-{record['jobs']['critic']}/note-score-000003500")
    assert what == f"no sound note of a score in record {record['id']}"


def test_weights_at_other_lengths_do_not_stand_in(root: Path, faults: Faults) -> None:
    """A longer critic is another artefact, and a shorter policy is not what was scored."""
    folder = jobs(root, "confirm", 20.0)["critic"]
    ArtefactStore(root).write(
        "critic", folder.name.removeprefix("critic-"), 9000, b"longer" * 30, attempt=1, keep=True
    )
    assert faults(root) == []
    (folder / "000003500.json").unlink()
    assert [what[:30] for _, what in faults(root)] == ["no sound weights at 3500 updat"]


def test_the_weights_of_a_pruned_policy_need_not_stay(root: Path, faults: Faults) -> None:
    folder = jobs(root, "search", 30.0)["policy"]
    for path in [*folder.glob("[0-9]*.json"), *folder.glob("*.pt")]:
        path.unlink()
    assert faults(root) == []


@pytest.mark.slow_after(1)
@pytest.mark.parametrize("stage", ["behaviour", "policy"])
def test_a_note_that_is_gone_or_another(root: Path, faults: Faults, stage: str) -> None:
    for path in sorted(jobs(root, "confirm", 20.0)[stage].glob("note-score-*.json")):
        whole = path.read_bytes()
        place = str(path.relative_to(root))
        note = unsealed(whole)
        note["note"]["std"] += 1.0
        path.write_bytes(sealed(note))
        assert {where for where, _ in faults(root)} == {place}
        assert all("not the score in record" in what for _, what in faults(root))
        path.write_bytes(sealed({**note, "of": f"{stage}/{'0' * 16}/score-1"}))
        assert (place, f"it is of {stage}/{'0' * 16}/score-1") in faults(root)
        path.write_bytes(sealed({"other": 1}))
        assert (place, "no note") in faults(root)
        path.unlink()
        assert {where for where, _ in faults(root)} == {place}
        assert all("no sound note of a score in record" in what for _, what in faults(root))
        path.write_bytes(whole)


def test_a_snapshot_of_another_version_is_not_judged(root: Path) -> None:
    path = jobs(root, "confirm", 20.0)["critic"] / "000003500.json"
    path.write_bytes(sealed(unsealed(path.read_bytes()) | {"schema": 99}))
    verdict = verify(root)
    assert verdict.faults == () and "schema 99, this version reads 1" in verdict.remarks[0].what


def test_a_promise_that_is_damaged(root: Path, faults: Faults) -> None:
    path = jobs(root, "confirm", 20.0)["critic"] / "000003500.fate"
    path.write_bytes(b"keep\n")
    assert faults(root) == []
    path.write_bytes(b"kept\n")
    assert faults(root) == [
        (str(path.relative_to(root)), "neither kept nor pruned; it counts as kept")
    ]


def test_results_that_were_kept_without_weights_are_not_wrong(root: Path) -> None:
    shutil.rmtree(root / "artefacts")
    verdict = verify(root)
    assert verdict.faults == () and verdict.files == 0
    assert [one.what for one in verdict.remarks] == ["no weights: nothing to hash"]


def test_a_folder_of_another_thing_is_a_remark(root: Path, books: Any) -> None:
    (root / "artefacts" / "notes of mine").mkdir()
    assert [one.what for one in verify(root).remarks] == ["no job's folder"]
