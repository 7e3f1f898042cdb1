"""A sweep of before the rooms were moved (version 0.1.0, commit 4d3061a) goes on as it was.

``ended`` is whole, ``broken`` was killed while its fourth of six trials wrote its records; both
searched `point` on the data set beside them.
"""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qipo_ray.cli.main import main
from qipo_ray.data.load import load
from qipo_ray.leaderboard import leaderboard
from qipo_ray.store.files import unsealed
from qipo_ray.store.intents import read_intents
from qipo_ray.store.records import read_records
from qipo_ray.store.rung_log import RungLog
from qipo_ray.study.saved_spec import read_spec
from qipo_ray.study.search_file import load_search_file
from qipo_ray.sweep.run import Options, run_sweep
from qipo_ray.train.run_record import RunContext
from qipo_ray.verify import verify

ARCHIVE = Path(__file__).parents[1] / "fixtures" / "sweep-0.1.0.tar.xz"
CONTEXT = RunContext("tiny", None, "search", None, "a test", "2026-11-30T01:45:00+00:00")


class Silent:
    """A screen that shows nothing."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def line(self, text: str) -> None:
        self.messages.append(text)

    def update(self, share: float, left: float | None, detail: str) -> None: ...


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with both sweeps and their data, to be read."""
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture
def old(unpacked: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return shutil.copytree(unpacked, tmp_path, dirs_exist_ok=True)


def resume(old: Path, name: str) -> Silent:
    """Run the sweep of the search file again."""
    spec = load_search_file(Path(__file__).with_name("tiny.yaml"))
    screen = Silent()
    data = {"point": load("point", old / "point.hdf5")}
    run_sweep(spec, old / name, data, CONTEXT, Options("local", False, None, None), screen)
    return screen


def test_verify_finds_nothing_wrong(unpacked: Path) -> None:
    for name, planned, open_runs in (("ended", 18, 0), ("broken", 12, 4)):
        report = verify(unpacked / name)
        assert report.faults == () and report.remarks == () and report.counts is not None
        assert report.planned == planned
        assert report.counts["interrupted"] + report.counts["never started"] == open_runs


def test_its_tables_are_made_again_to_the_letter(unpacked: Path) -> None:
    board = leaderboard([unpacked / "ended"])
    for suffix, text in board.documents().items():
        assert (unpacked / "ended" / "leaderboard" / f"leaderboard.{suffix}").read_text() == text


def test_the_hash_of_its_specification_is_that_of_the_search_file(unpacked: Path) -> None:
    spec = load_search_file(Path(__file__).with_name("tiny.yaml"))
    assert read_spec(unpacked / "ended" / "sweep.yaml").spec.hash == spec.hash


@pytest.mark.slow
@pytest.mark.usefixtures("without_report")
def test_an_ended_one_has_nothing_to_do(old: Path) -> None:
    before = {path.name: path.read_bytes() for path in (old / "ended/records").iterdir()}
    screen = resume(old, "ended")
    assert screen.messages == [f"nothing to do: the sweep at {old / 'ended'} is complete"]
    assert {path.name: path.read_bytes() for path in (old / "ended/records").iterdir()} == before


@pytest.mark.slow
@pytest.mark.usefixtures("without_report")
def test_a_broken_one_goes_on_as_the_unbroken_one_did(old: Path) -> None:
    """Trials, seeds and jobs are the same; scores to the last bit on an equal machine."""
    records = {path.name: path.read_bytes() for path in (old / "broken/records").iterdir()}
    resume(old, "broken")
    ended, resumed = (old / name for name in ("ended", "broken"))
    for name, content in records.items():
        assert (resumed / "records" / name).read_bytes() == content
    first = [intent["id"] for intent in read_intents(ended)][:5]
    assert [intent["id"] for intent in read_intents(resumed)][:5] == first
    assert verify(resumed).faults == ()
    if same_machine(ended, resumed):
        facts = [[_facts(record) for record in read_records(root)] for root in (ended, resumed)]
        assert facts[0] == facts[1]
        logs = [RungLog(root / "rungs.jsonl").read() for root in (ended, resumed)]
        values = [[(e["trial"], e["rung"], e["value"]) for e in log] for log in logs]
        assert values[0] == values[1]


def same_machine(*roots: Path) -> bool:
    """Say whether all records were made where numbers round alike."""
    places = {
        json.dumps([r["provenance"]["hardware"], r["provenance"]["packages"]], sort_keys=True)
        for root in roots
        for r in read_records(root)
    }
    return len(places) == 1


def _facts(record: dict[str, Any]) -> list[Any]:
    final = {key: v for key, v in record["final"].items() if key != "action_latency_ms"}
    names = ("id", "state", "reached", "scores", "behaviour_cloning", "jobs", "config_hash")
    return [final, *(record[name] for name in names)]


@pytest.mark.slow
def test_its_records_are_reproduced(
    old: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 0: to the last bit, or within the interval on a machine that rounds otherwise."""
    records: Callable[[Path], dict[str, Any]] = lambda path: unsealed(path.read_bytes())  # noqa: E731
    for purpose, state in (("search", "pruned"), ("confirm", "finished")):
        path = next(
            path
            for path in sorted((old / "ended" / "records").iterdir())
            if (records(path)["purpose"], records(path)["state"]) == (purpose, state)
        )
        line = ["reproduce", str(path), "--run", "--data", str(old / "point.hdf5")]
        assert main([*line, "--results", str(old / f"again-{purpose}")]) == 0
        assert "equal to the last bit" in (out := capsys.readouterr().out) or "within" in out
