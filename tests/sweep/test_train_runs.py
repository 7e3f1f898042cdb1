"""From a plan to records, event files and progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from qipo_ray.config import Config
from qipo_ray.data.transitions import Dataset
from qipo_ray.errors import Failure, UserError
from qipo_ray.store.lease import driving
from qipo_ray.store.records import read_records
from qipo_ray.study.job import Run
from qipo_ray.study.job_events import JobEvent
from qipo_ray.sweep import train_runs as module
from qipo_ray.sweep.train_runs import plan_runs, train_runs
from qipo_ray.tracking.tensorboard_logger import LAYOUT
from qipo_ray.train.job_store import JobStore
from qipo_ray.train.run_record import RunContext

CONTEXT = RunContext(
    sweep="train",
    trial=None,
    purpose="single",
    name="tiny",
    command="qipo-ray train",
    started="2026-01-01T00:00:00+00:00",
)


class Stop(Exception):
    """Ends a run from its listener."""


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Return what TensorBoard's own reader finds."""
    events = EventAccumulator(str(folder))
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


@pytest.mark.slow
def test_runs_end_in_records_that_hold_what_was_measured(
    point: Dataset, configure: Callable[..., Config], tmp_path: Path
) -> None:
    config = configure()
    todo = plan_runs(point, config, [0, 1], tmp_path, CONTEXT)
    records = train_runs(todo, 1, lambda report: None)
    assert read_records(tmp_path) == sorted(records, key=lambda record: str(record["id"]))
    record = records[0]
    assert record["state"] == "finished" and record["data"]["source"] == "generated"
    assert [score["updates"] for score in record["scores"]] == [100, 200, 300]
    assert record["final"]["last"] == record["scores"][-1]
    assert record["final"]["last"]["episodes"] == record["protocol"]["episodes"] == 5
    best = max(score["normalised"] for score in record["scores"])
    assert record["final"]["best"]["normalised"] == best
    assert record["behaviour_cloning"]["episodes"] == 5
    assert record["reached"] == {"updates": 300, "rung": None}
    again = plan_runs(point, config, [0, 1], tmp_path, CONTEXT)
    assert again.missing == () and len(again.runs) == 2


@pytest.mark.slow
def test_a_run_that_was_stopped_shows_each_step_once(
    point: Dataset, configure: Callable[..., Config], tmp_path: Path
) -> None:
    """Interrupted in the policy stage and continued: event files and records are whole."""

    def interrupt(report: JobEvent) -> None:
        if report.snapshot.stage == "policy" and report.updates >= 200:
            raise Stop

    config = configure()
    with pytest.raises(Stop):
        train_runs(plan_runs(point, config, [0], tmp_path, CONTEXT), 1, interrupt)
    todo = plan_runs(point, config, [0], tmp_path, CONTEXT)
    assert len(todo.done) == 2
    (record,) = train_runs(todo, 1, lambda report: None)
    assert record["cost"]["reused_s"] > 0
    (folder,) = (tmp_path / "tensorboard").glob("point/tiny-*/seed-0")
    found = scalars(folder)
    assert [step for step, _ in found["behaviour/loss"]] == [100, 200]
    assert [step for step, _ in found["policy/ess"]] == [100, 200, 300]
    assert [step for step, _ in found["score/normalised"]] == [0, 100, 200, 300]
    assert {tag for charts in LAYOUT.values() for _, tags in charts.values() for tag in tags} <= {
        *found
    }
    page = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert "custom_scalars__config__" in page.Tags()["tensors"]
    assert [step for step, _ in found["critic_report/best_of"]] == [200]
    last = record["final"]["last"]["normalised"]
    assert found["score/normalised"][-1][1] == pytest.approx(last, rel=1e-5)


def test_a_diverged_run_is_recorded_with_its_reason(
    point: Dataset, configure: Callable[..., Config], make_run: Callable[..., Run], tmp_path: Path
) -> None:
    run = make_run()
    note = {"updates": 100, "reason": "critic loss is nan at update 100"}
    JobStore(tmp_path).artefacts.write_sidecar("critic", run.jobs[1].key, "diverged", note)
    (record,) = train_runs(
        plan_runs(point, configure(), [0], tmp_path, CONTEXT), 1, lambda r: None
    )
    assert record["state"] == "diverged" and record["reason"] == note["reason"]
    assert record["final"]["last"] is None and record["reached"]["updates"] == 0


def test_a_job_that_fails_is_no_mistake_of_the_user(
    point: Dataset, configure: Callable[..., Config], tmp_path: Path
) -> None:
    """Here its data file is another one by the time the job begins."""
    todo = plan_runs(replace(point, sha256="f" * 64), configure(), [0], tmp_path, CONTEXT)
    with pytest.raises(Failure, match="changed since the run was planned"):
        train_runs(todo, 1, lambda report: None)
    assert read_records(tmp_path) == []


@pytest.mark.slow
def test_other_data_and_simulators_in_the_same_folder_are_refused(
    point: Dataset,
    configure: Callable[..., Config],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train_runs(plan_runs(point, configure(), [0], tmp_path, CONTEXT), 1, lambda report: None)
    other = replace(point, sha256="f" * 64)
    with pytest.raises(UserError, match="holds this run on other data"):
        plan_runs(other, configure(), [0], tmp_path, CONTEXT)
    monkeypatch.setattr(module, "physics", lambda task: 2)
    with pytest.raises(
        UserError, match="scored in physics 1 of its simulator, which now has physics 2"
    ):
        plan_runs(point, configure(), [0], tmp_path, CONTEXT)


def test_one_command_trains_in_a_folder_at_a_time(
    point: Dataset, configure: Callable[..., Config], tmp_path: Path
) -> None:
    todo = plan_runs(point, configure(), [0], tmp_path, CONTEXT)
    with driving(tmp_path), pytest.raises(UserError, match="is driven by process"):
        train_runs(todo, 1, lambda report: None)
    assert not list(tmp_path.glob("artefacts/*"))


@pytest.mark.slow
def test_results_inside_of_results_are_others(
    point: Dataset, configure: Callable[..., Config], tmp_path: Path
) -> None:
    inner = tmp_path / "inner"
    train_runs(plan_runs(point, configure(), [0], inner, CONTEXT), 1, lambda report: None)
    assert len(plan_runs(point, configure(), [0], tmp_path, CONTEXT).missing) == 1
