"""The trials of a sweep as they stand: of real ones, ended and broken off, and damaged."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from qipo_ray.cli.main import main
from qipo_ray.errors import UserError
from qipo_ray.leaderboard.trial_list import listed_trials
from qipo_ray.store.records import read_records
from qipo_ray.store.rung_log import RungLog
from qipo_ray.study.trial import TrialState

ARCHIVE = Path(__file__).parents[1] / "fixtures" / "sweep-0.1.0.tar.xz"


@pytest.fixture
def sweeps(tmp_path: Path) -> Path:
    """A folder with the sweeps ``ended`` and ``broken``."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


def test_every_trial_stands_with_its_rungs_and_its_reason(sweeps: Path) -> None:
    root = sweeps / "ended"
    listed = listed_trials(root, "point")
    assert [trial.number for trial in listed] == [1, 2, 3, 4, 5, 6]
    assert listed[0].origin == "paper" and listed[0].params["policy.rounds"] == 3
    log = RungLog(root / "rungs.jsonl").read()
    records = {record["id"]: record for record in read_records(root)}
    for trial in listed:
        logged = [entry["value"] for entry in log if entry["trial"] == trial.id]
        assert list(trial.values) == logged and trial.score == logged[-1]
        runs = [records[name] for name in trial.records]
        assert [run["seed"] for run in runs] == [0, 1] == list(trial.seeds)
        assert {run["state"] for run in runs} == {trial.state.value}
        done = trial.state is TrialState.FINISHED
        assert (len(trial.values) == len(trial.rungs)) == done == (trial.reason is None)
    pruned = [trial for trial in listed if trial.state is TrialState.PRUNED]
    assert len(pruned) == 3 and pruned[-1].reason is not None
    assert pruned[-1].reason.endswith("the best third of 6 trials")
    assert listed_trials(root, "hopper-medium-v2") == []


def test_one_whose_records_are_not_all_there_runs(sweeps: Path) -> None:
    root = sweeps / "broken"
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    trial = next(trial for trial in listed_trials(root) if trial.state is TrialState.PRUNED)
    (root / "records" / f"{trial.records[1]}.json").unlink()
    (after,) = [found for found in listed_trials(root) if found.id == trial.id]
    assert (after.state, after.reason) == (TrialState.RUNNING, None)
    assert after.records == trial.records[:1] and after.values == trial.values
    damaged = root / "trials" / f"{trial.id}.json"
    damaged.write_bytes(b"{")
    assert trial.id not in {found.id for found in listed_trials(root)}
    changed = {path for path in root.rglob("*") if path.is_file()} ^ before.keys()
    assert {path.name for path in changed} == {f"{trial.records[1]}.json"}  # nothing is written


def test_the_command(sweeps: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = sweeps / "ended"
    assert main(["trials", str(root)]) == 0
    lines = capsys.readouterr()
    assert lines.out.index("-20.6") < lines.out.index("-22.8") < lines.out.index("-11.8")
    assert "6 trials, 0 running" in lines.err
    assert main(["trials", str(root), "--json"]) == 0
    first, *_ = json.loads(capsys.readouterr().out)
    assert first["state"] == "finished" and first["score"] == first["values"][-1]
    assert main(["trials", str(root), "--task", "pointt"]) == 2
    assert "(did you mean 'point'?); it has point" in capsys.readouterr().err
    assert main(["trials", str(sweeps)]) == 2
    assert "no sweep in" in capsys.readouterr().err


def test_a_damaged_specification_is_one_line(sweeps: Path) -> None:
    (sweeps / "ended" / "sweep.yaml").write_text("{")
    with pytest.raises(UserError, match=r"sweep\.yaml: not readable: ") as caught:
        listed_trials(sweeps / "ended")
    assert "\n" not in str(caught.value)
