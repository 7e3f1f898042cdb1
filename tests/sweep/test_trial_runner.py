"""A trial in the hands of a service that is played by the test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from qipo_ray.config import config_hash
from qipo_ray.study.asha import Decision
from qipo_ray.study.job import Job, Run
from qipo_ray.study.job_events import JobEvent
from qipo_ray.study.trial import DatasetRef, Trial, TrialOutcome, TrialState
from qipo_ray.sweep.trial_runner import RungScores, TrialRunner, run_trial

DATA = DatasetRef("nowhere.hdf5", "a" * 64)
RUNGS = (100, 300)


class ScriptedService:
    """A service whose events are given, a batch for each poll."""

    def __init__(self, *batches: list[JobEvent]) -> None:
        self.batches = list(batches)
        self.jobs: list[Job] = []
        self.cancelled: list[str] = []

    def submit(self, subscriber: str, jobs: list[Job]) -> None:
        self.jobs += jobs

    def poll(self, subscriber: str) -> list[JobEvent]:
        return self.batches.pop(0)

    def cancel(self, subscriber: str) -> None:
        self.cancelled.append(subscriber)


@pytest.fixture
def trial(make_run: Callable[..., Run]) -> Trial:
    config = make_run().config
    number = config_hash(config)
    return Trial("0" * 12, "point", 0, "search", {}, config, number, (0, 1), RUNGS, "")


def score(run: Run, updates: int, value: float) -> JobEvent:
    content = {"normalised": value, "episodes": 3}
    return JobEvent("score", run.jobs[-1].snapshot, updates, 1.0, score=content)


def go_on(rung: int, updates: int, value: float) -> Decision:
    return Decision(False, "")


def test_a_rung_is_complete_when_every_seed_has_a_score(trial: Trial) -> None:
    first, second = trial.runs(DATA)
    rungs = RungScores(trial, (first, second))
    assert rungs.take(score(first, 100, 10.0)) == []
    assert rungs.take(score(first, 300, 50.0)) == []  # this seed runs ahead
    assert rungs.take(score(second, 100, 20.0)) == [(0, 100, 15.0)]
    assert rungs.take(score(second, 100, 20.0)) == []
    assert rungs.take(score(second, 300, 70.0)) == [(1, 300, 60.0)]


def test_a_signal_is_compared_as_what_more_is_better_of(trial: Trial) -> None:
    runs = replace(trial, objective="td_error").runs(DATA)
    assert not any(run.rolled_out for run in runs)
    rungs = RungScores(replace(trial, objective="td_error"), runs)
    for run, error in zip(runs, (2.0, 4.0), strict=True):
        assert rungs.take(score(run, 100, 10.0)) == []
        signals = {"updates": 100, "td_error": error}
        reached = rungs.take(JobEvent("signals", run.jobs[-1].snapshot, 100, 1.0, score=signals))
    assert reached == [(0, 100, -3.0)]
    unknown = RungScores(replace(trial, objective="fqe"), runs[:1])
    event = JobEvent("signals", runs[0].jobs[-1].snapshot, 100, 1.0, score={"fqe": None})
    assert unknown.take(event) == [(0, 100, None)]


def test_scores_that_complete_two_rungs_at_once_come_in_order(trial: Trial) -> None:
    first, second = trial.runs(DATA)
    rungs = RungScores(trial, (first, second))
    for event in (score(first, 100, 1.0), score(first, 300, 2.0), score(second, 300, 4.0)):
        assert rungs.take(event) == []
    assert rungs.take(score(second, 100, 3.0)) == [(0, 100, 2.0), (1, 300, 3.0)]


def test_a_trial_that_reaches_its_last_rung_is_finished(trial: Trial) -> None:
    runs = trial.runs(DATA)
    service = ScriptedService(
        [score(run, 100, 1.0) for run in runs], [], [score(run, 300, 2.0) for run in runs]
    )
    asked: list[tuple[int, int, float]] = []

    def decide(rung: int, updates: int, value: float) -> Decision:
        asked.append((rung, updates, value))
        return Decision(False, "")

    assert run_trial(trial, DATA, service, decide) == TrialOutcome(TrialState.FINISHED, 1)
    assert asked == [(0, 100, 1.0), (1, 300, 2.0)]
    assert len(service.jobs) == 6 and service.cancelled == [trial.id]


def test_a_trial_that_is_stopped_is_pruned_with_the_reason(trial: Trial) -> None:
    service = ScriptedService([score(run, 100, 1.0) for run in trial.runs(DATA)])
    outcome = run_trial(trial, DATA, service, lambda *_: Decision(True, "below"))
    assert outcome == TrialOutcome(TrialState.PRUNED, 0, "below")
    assert service.cancelled == [trial.id]


@pytest.mark.parametrize("kind", ["diverged", "failed", "lost"])
def test_a_trial_ends_with_the_first_job_that_cannot_go_on(trial: Trial, kind: str) -> None:
    runs = trial.runs(DATA)
    end = replace(score(runs[1], 120, 0.0), kind=kind, score=None, reason="Q is nan")
    service = ScriptedService([score(run, 100, 1.0) for run in runs], [end])
    outcome = run_trial(trial, DATA, service, go_on)
    assert outcome == TrialOutcome(TrialState(kind), 0, "Q is nan")


def test_jobs_are_withdrawn_when_the_wait_is_broken_off(trial: Trial) -> None:
    service = ScriptedService([])

    def interrupted(subscriber: str) -> list[JobEvent]:
        raise KeyboardInterrupt

    service.poll = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        run_trial(trial, DATA, service, go_on)
    assert service.cancelled == [trial.id]


def test_a_runner_goes_one_poll_at_a_time(trial: Trial) -> None:
    runs = trial.runs(DATA)
    service = ScriptedService([score(runs[0], 100, 1.0)], [score(runs[1], 100, 1.0)])
    runner = TrialRunner(trial, DATA, service, lambda *_: Decision(True, "stop"))
    assert runner.advance() is None
    assert runner.advance() == TrialOutcome(TrialState.PRUNED, 0, "stop")
