"""A small sweep on disk, then one thing wrong with it at a time; and what is counted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from qipo_ray.config import config_hash, override, stage_keys, to_dict
from qipo_ray.errors import UserError
from qipo_ray.leaderboard import from_records
from qipo_ray.leaderboard.accounts import standings
from qipo_ray.leaderboard.verify import first_difference, verify
from qipo_ray.store.artefacts import Artefacts
from qipo_ray.store.files import sealed, unsealed
from qipo_ray.store.intents import trial_id, write_intent
from qipo_ray.store.records import new_id, read_records, write_record
from qipo_ray.store.rung_log import RungLog
from qipo_ray.sweep.space import load_spec

AT = "2026-01-01T00:00:00+00:00"
DATA = "a" * 64
SEARCH = """\
name: books
tasks: [point]
preset: quickstart
space: {policy.beta: {loguniform: [5, 60]}}
trials: 3
paper: {policy.beta: 3}
seeds: {search: [0, 1], report: [100, 101]}
rungs: {shares: [1/3, 1], reduction: 3}
confirm: {top: 1}
"""
BETAS = (10.0, 20.0, 30.0)  # of the trials; the second is the best, the third was pruned
RUNGS = (1000, 3000)


class Books:
    """A sweep's folder, written by the store's own functions."""

    def __init__(self, root: Path, make_record: Callable[..., dict[str, Any]]) -> None:
        self.root, self.make_record = root, make_record
        self.artefacts, self.log = Artefacts(root), RungLog(root / "rungs.jsonl")
        path = root.parent / "search.yaml"
        path.write_text(SEARCH)
        self.spec = load_spec(path)
        document = {"hash": self.spec.hash, **self.spec.document(), "data": {"point": DATA}}
        root.mkdir()
        (root / "sweep.yaml").write_text(yaml.safe_dump(document, sort_keys=False))

    def config(self, beta: float) -> Any:
        return override(self.spec.base, [f"policy.beta={beta}"])

    def trial(self, beta: float) -> str:
        return trial_id("books", "point", config_hash(self.config(beta)))

    def intend(self, beta: float) -> None:
        config = self.config(beta)
        intent = {
            "schema": 1, "id": self.trial(beta), "sweep": "books", "task": "point",
            "position": BETAS.index(beta), "params": {"policy.beta": beta},
            "config": to_dict(config), "config_hash": config_hash(config), "seeds": [0, 1],
            "rungs": list(RUNGS), "origin": "search", "written": AT,
        }  # fmt: skip
        write_intent(self.root, intent)

    def reach(self, beta: float, rung: int, value: float) -> None:
        self.log.append(
            {
                "trial": self.trial(beta),
                "task": "point",
                "rung": rung,
                "updates": RUNGS[rung],
                "value": value,
                "attempt": 1,
                "at": AT,
            }  # fmt: skip
        )

    def train(self, beta: float, seed: int, updates: int, stage: str = "policy") -> None:
        key = stage_keys(self.config(beta), "point", DATA, seed)[stage]
        attempt = self.artefacts.claim(stage, key)
        data = f"{stage} {key}".encode() * 50
        self.artefacts.write(stage, key, updates, data, attempt=attempt, keep=True)
        self.artefacts.write_note(stage, key, "score", {"normalised": 1.0})

    def end(
        self, beta: float, seed: int, values: list[float], purpose: str, state: str = "finished"
    ) -> None:
        """Write the record of a run with a score at each rung that it reached."""
        config, rung = self.config(beta), len(values) - 1
        record = self.make_record(values[-1], seed=seed, purpose=purpose, sweep="books",
                                  task="point", sha256=DATA, state=state)  # fmt: skip
        number = config_hash(config)
        scores = [
            {**record["final"]["last"], "updates": RUNGS[i], "normalised": value}
            for i, value in enumerate(values)
        ]
        record |= {
            "id": new_id("books", purpose, "point", number, seed),
            "trial": self.trial(beta) if beta in BETAS else None,
            "config": to_dict(config), "config_hash": number,
            "jobs": stage_keys(config, "point", DATA, seed),
            "reached": {"updates": RUNGS[rung], "rung": rung if purpose == "search" else None},
            "scores": scores,
        }  # fmt: skip
        record["final"] |= {"last": scores[-1] if state == "finished" else None}
        write_record(self.root, record)

    def tabulate(self) -> None:
        folder = self.root / "leaderboard"
        folder.mkdir(exist_ok=True)
        for suffix, text in from_records(read_records(self.root)).documents().items():
            (folder / f"leaderboard.{suffix}").write_text(text)


@pytest.fixture(scope="module")
def whole(
    tmp_path_factory: pytest.TempPathFactory, make_record: Callable[..., dict[str, Any]]
) -> Path:
    """A complete sweep: three trials of two seeds, two confirmed configurations of two seeds."""
    made = Books(tmp_path_factory.mktemp("verify") / "books", make_record)
    for beta, values in zip(BETAS, ([10.0, 30.0], [12.0, 40.0], [5.0]), strict=True):
        made.intend(beta)
        for rung, value in enumerate(values):
            made.reach(beta, rung, value)
        for seed, shift in ((0, -1.0), (1, 1.0)):
            made.train(beta, seed, RUNGS[len(values) - 1])
            state = "finished" if len(values) == 2 else "pruned"
            made.end(beta, seed, [value + shift for value in values], "search", state)
    for beta in (20.0, 3.0):  # the best, and the paper's form
        for seed in (100, 101):
            made.train(beta, seed, 3000)
            made.end(beta, seed, [20.0, 35.0 + seed], "confirm")
    made.tabulate()
    return made.root


@pytest.fixture
def root(whole: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoilt."""
    return shutil.copytree(whole, tmp_path / "books")


def found(root: Path) -> list[tuple[str, str]]:
    return [(finding.place, finding.what) for finding in verify(root).faults]


def bytes_below(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_whole_sweep_has_nothing_wrong_and_is_left_as_it_is(root: Path) -> None:
    before = bytes_below(root)
    verdict = verify(root)
    assert verdict.faults == () and verdict.remarks == ()
    assert verdict.counts == {
        "finished": 8, "pruned": 2, "diverged": 0, "failed": 0,
        "interrupted": 0, "never started": 0,
    }  # fmt: skip
    assert verdict.planned == 3 * 2 + 2 * 2
    assert verdict.files == 10 and verdict.bytes > 0
    assert bytes_below(root) == before
    assert json.dumps(verdict.document())


def test_a_flipped_byte_of_any_artefact_is_found(root: Path) -> None:
    paths = sorted(root.glob("artefacts/*/*.pt"))
    for path in (paths[0], paths[-1]):
        whole = path.read_bytes()
        path.write_bytes(whole[:70] + bytes([whole[70] ^ 1]) + whole[71:])
        (place, what), *others = found(root)
        assert Path(place).parent.name == path.parent.name and "SHA-256" in what
        assert all("no sound weights" in other for _, other in others)
        path.write_bytes(whole)
    assert found(root) == []


@pytest.mark.parametrize("pattern", ["*.pt", "[0-9]*.json", "note-*.json"])
def test_a_truncated_or_missing_file_of_a_job_is_found(root: Path, pattern: str) -> None:
    path = next(root.glob(f"artefacts/policy-*/{pattern}"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    assert any(path.parent.name in place for place, _ in found(root))
    path.unlink()
    if pattern == "*.pt":
        assert any("No such file" in what for _, what in found(root))
    path.write_bytes(whole)
    assert found(root) == []


def test_a_deleted_record_is_missed_by_the_books_and_the_tables(root: Path) -> None:
    for record in read_records(root)[::4]:
        path = root / "records" / f"{record['id']}.json"
        whole = path.read_bytes()
        path.unlink()
        verdict = verify(root)
        assert verdict.counts is not None and verdict.counts["interrupted"] >= 1
        assert verdict.planned == 10
        assert any(one.place.startswith("leaderboard/") for one in verdict.faults)
        path.write_bytes(whole)


def test_a_changed_record_is_found_also_when_it_is_sealed_again(root: Path) -> None:
    path = next(
        root / "records" / f"{record['id']}.json"
        for record in read_records(root)
        if record["purpose"] == "search"
    )
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"seed": 0', b'"seed": 7').replace(b'"seed": 1', b'"seed": 7'))
    assert ("check sum does not match") in dict(found(root))[f"records/{path.name}"]
    forged = unsealed(whole)
    for score in forged["scores"]:
        score["normalised"] += 1
    path.write_bytes(sealed(forged))
    assert any(place == "rungs.jsonl" and "records say" in what for place, what in found(root))
    forged = unsealed(whole) | {"trial": "0" * 12}
    path.write_bytes(sealed(forged))
    assert any("has no intent" in what for _, what in found(root))


@pytest.mark.parametrize("suffix", ["csv", "json", "md", "html", "tex"])
def test_an_edited_table_is_found(root: Path, suffix: str) -> None:
    path = root / "leaderboard" / f"leaderboard.{suffix}"
    text = path.read_text()
    assert "135.5" in text
    path.write_text(text.replace("135.5", "139.5", 1))
    ((place, what),) = found(root)
    assert place == f"leaderboard/leaderboard.{suffix}" and "not what the records give" in what


def test_a_table_that_was_not_written_yet_is_a_remark(root: Path) -> None:
    """A sweep may be killed between its last record and its tables."""
    (root / "leaderboard" / "leaderboard.md").unlink()
    verdict = verify(root)
    assert verdict.faults == () and "not written yet" in verdict.remarks[-1].what


def test_tables_of_another_version_are_not_judged(root: Path) -> None:
    path = root / "leaderboard" / "leaderboard.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 1}))
    verdict = verify(root)
    assert verdict.faults == () and "another version" in verdict.remarks[0].what


def test_a_torn_rung_log_is_found_at_any_length(root: Path) -> None:
    log = root / "rungs.jsonl"
    whole = log.read_bytes()
    for length in range(0, len(whole), 199):
        log.write_bytes(whole[:length])
        assert any(place == "rungs.jsonl" for place, _ in found(root)), length
    log.write_bytes(whole.replace(b'"value":30', b'"value":31'))
    ((_, damaged), (_, missing)) = found(root)
    assert "check sum" in damaged and "rung 2 of trial" in missing


def test_a_changed_specification_is_found(root: Path) -> None:
    path = root / "sweep.yaml"
    path.write_text(path.read_text().replace("trials: 3", "trials: 30"))
    ((place, what),) = found(root)
    assert place == "sweep.yaml" and "does not match the hash" in what
    path.write_text("{")
    ((place, _),) = found(root)
    assert place == "sweep.yaml" and verify(root).counts is None


def test_what_was_set_aside_is_a_remark(root: Path) -> None:
    (root / "records" / "0123456789abcdef.json.corrupt").write_text("x")
    verdict = verify(root)
    assert verdict.faults == () and verdict.remarks[0].what == "set aside as damaged"


def test_an_unfinished_sweep_is_counted_and_not_wrong(
    tmp_path: Path, make_record: Callable[..., dict[str, Any]]
) -> None:
    """One trial ended, one has a checkpoint of one seed, one was not even intended."""
    made = Books(tmp_path / "books", make_record)
    for beta in BETAS[:2]:
        made.intend(beta)
    made.reach(10.0, 0, 5.0)
    for seed in (0, 1):
        made.end(10.0, seed, [5.0], "search", "pruned")
        made.train(10.0, seed, 1000)
    made.train(20.0, 1, 500, stage="critic")
    verdict = verify(made.root)
    assert verdict.faults == ()
    assert verdict.counts == {
        "finished": 0, "pruned": 2, "diverged": 0, "failed": 0,
        "interrupted": 1, "never started": 3,
    }  # fmt: skip


def test_a_configuration_of_another_version_is_not_counted(root: Path) -> None:
    path = next((root / "trials").glob("*.json"))
    intent = unsealed(path.read_bytes())
    del intent["config"]["policy"]["beta"]
    path.write_bytes(sealed(intent))
    verdict = verify(root)
    assert verdict.counts is None and verdict.faults == ()
    assert "cannot be counted: " in verdict.remarks[0].what


def test_a_task_that_the_sweep_left_is_a_remark(
    root: Path, make_record: Callable[..., Any]
) -> None:
    write_record(root, make_record(5.0, sweep="books", purpose="confirm", task="maze2d-umaze"))
    verdict = verify(root)
    assert [one.what for one in verdict.remarks][:1] == [
        "of maze2d-umaze, which sweep.yaml names no more"
    ]
    assert verdict.planned == 10


def test_results_without_a_specification_are_hashed_only(
    tmp_path: Path, make_record: Callable[..., dict[str, Any]]
) -> None:
    with pytest.raises(UserError, match="no sweep"):
        verify(tmp_path)
    write_record(tmp_path, make_record(1.0))
    verdict = verify(tmp_path)
    assert verdict.counts is None and verdict.faults == ()


def test_standings_put_rungs_before_values() -> None:
    entries = [
        {"trial": "a", "rung": 0, "value": 90.0},
        {"trial": "b", "rung": 0, "value": 1.0},
        {"trial": "b", "rung": 1, "value": 2.0},
        {"trial": "c", "rung": 1, "value": 3.0},
        {"trial": "d", "rung": 1, "value": None},
        {"trial": "e", "rung": 1, "value": 99.0},
    ]
    assert [s.trial for s in standings(entries, {"a", "b", "c", "d"})] == ["c", "b", "a"]


def test_texts_may_differ_in_the_last_digits_only() -> None:
    assert first_difference("a 1.25 b\n", "a 1.25000000000001 b\n") is None
    assert first_difference("a 1.25 b\n", "a 1.26 b\n") == "line 1: 'a 1.25 b', not 'a 1.26 b'"
    assert first_difference("a\n", "a\nb\n") == "line 2: 'nothing', not 'b'"
    assert first_difference("-1.5e-3", "1.5e-3") is not None
