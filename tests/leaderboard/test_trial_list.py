"""The trials of a sweep as they stand: of real ones, ended and broken off, and damaged."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from qipo_ray.cli.main import main
from qipo_ray.errors import UserError
from qipo_ray.leaderboard.trial_list import listed_trials
from qipo_ray.leaderboard.trial_reasons import Rival, RungReason, trial_reasons
from qipo_ray.store.lease import Lease, StopAsked
from qipo_ray.store.news import News, read_news, write_news
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


def test_plain_data_have_an_objective_as_it_was_measured(sweeps: Path) -> None:
    first, *_ = listed_trials(sweeps / "ended")
    assert first.document()["values"] == list(first.values)
    error = replace(first, objective="td_error", values=(-1.5, None))
    assert (error.document()["values"], error.document()["score"]) == ([1.5, None], None)
    reason = RungReason(1, 60, -1.5, True, "", (Rival(error, -0.5, True),))
    document = reason.document("td_error")
    assert document["value"] == 1.5 and document["rivals"][0]["value"] == 0.5


def test_the_status_says_who_drives_and_what_is_best(
    sweeps: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = sweeps / "ended"
    assert main(["status", str(root)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("tiny: nobody drives it; ")
    assert (
        "point: 6 of 6 trials begun: 3 finished, 3 pruned\n  best: -20.6 ± 15.9 (2 seeds)" in said
    )
    assert "confirmed, 6 runs: QIPO-OT (search, best) -4.2 ± 23.3 (2 seeds)" in said
    lease = Lease.take(root)
    assert read_news(root) is None and "news" not in said
    news = News(lease.attempt, "confirm", 0.5, 65.0, [
        {"stage": "policy", "key": "abc", "updates": 1200, "length": 3000}
    ])  # fmt: skip
    write_news(root, news)
    assert read_news(root) == news
    assert main(["status", str(root)]) == 0
    said = capsys.readouterr().out
    assert f"driven by process {os.getpid()} on" in said
    assert "; confirm, 50 % done, ETA 1:05, 1 job running" in said
    assert "policy abc: 1,200/3,000 updates" in said
    assert main(["status", str(root), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["news"]["seconds_left"] == 65 and document["driver"]["pid"] == os.getpid()
    (task,) = document["tasks"]
    assert task["trials"] == {"finished": 3, "pruned": 3} and task["best"]["std"] > 15
    (root / "driver" / "news.json").write_bytes(b"{")
    assert read_news(root) is None
    assert main(["stop", str(root)]) == 0
    assert f"asked process {os.getpid()} on host" in capsys.readouterr().out
    with pytest.raises(StopAsked):
        lease.beat()
    lease.release()
    assert main(["stop", str(root)]) == 2
    write_news(root, news)
    after = Lease.take(root)  # has said nothing yet
    assert read_news(root) is None
    after.release()

    shutil.rmtree(root / "records")
    (root / "rungs.jsonl").unlink()
    assert main(["status", str(root)]) == 0
    assert "point: 6 of 6 trials begun: 6 broken off\n" in capsys.readouterr().out
    assert main(["status", str(sweeps)]) == 2
    assert "no sweep in" in capsys.readouterr().err


def test_a_trial_is_explained_by_those_that_came_before_it(
    sweeps: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = sweeps / "ended"
    for listed in listed_trials(root):
        trial, reasons = trial_reasons(root, listed.id)
        assert trial == listed and len(reasons) == len(trial.values)
        for reason, value in zip(reasons, trial.values, strict=True):
            assert reason.value == value and reason.updates == trial.rungs[reason.rung - 1]
            ahead = [rival.value for rival in reason.rivals if rival.ahead]
            assert all(v > value for v in ahead) and len(ahead) <= len(reason.rivals)
        if trial.state is TrialState.PRUNED:  # the rule says what the records say
            assert [r.went_on for r in reasons][-1] is False and reasons[-1].reason == trial.reason
        else:
            assert all(reason.went_on for reason in reasons)
            assert reasons[-1].reason == "the last rung stops nobody"
    last = next(t for t in listed_trials(root) if t.number == 6)
    assert main(["explain", str(root), last.id[:5]]) == 0
    said = capsys.readouterr().out
    assert f"trial {last.id} of point: pruned; behaviour.path=ot" in said
    assert f"stopped; {last.reason}" in said and said.count("ahead ") == 4
    assert main(["explain", str(root), last.id, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["trial"]["id"] == last.id and len(document["rungs"][0]["rivals"]) == 5
    assert main(["explain", str(root), f"{last.id}x"]) == 2
    assert f"no trial has that id in {root} (did you mean '{last.id}'?)" in capsys.readouterr().err


def test_a_damaged_specification_is_one_line(sweeps: Path) -> None:
    (sweeps / "ended" / "sweep.yaml").write_text("{")
    with pytest.raises(UserError, match=r"sweep\.yaml: not readable: ") as caught:
        listed_trials(sweeps / "ended")
    assert "\n" not in str(caught.value)
