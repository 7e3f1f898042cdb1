"""Run one trial: submit its jobs, collect its rungs, and say how it ended."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qipo_ray.study.asha import Decision
from qipo_ray.study.job import Run
from qipo_ray.study.job_events import JobEvent
from qipo_ray.study.trial import DatasetRef, State, Trial, TrialOutcome

if TYPE_CHECKING:
    from qipo_ray.train.training_service import TrainingService


class Rungs:
    """Collects the scores of a trial's runs until a rung has one from every seed."""

    def __init__(self, trial: Trial, runs: tuple[Run, ...]) -> None:
        self.trial = trial
        self.policies = {run.jobs[-1].snapshot for run in runs}
        self.scores: dict[int, dict[Any, float]] = {updates: {} for updates in trial.rungs}
        self.reached = -1

    def take(self, report: JobEvent) -> list[tuple[int, int, float]]:
        """Take in a report; return the rungs that it completes, as (rung, updates, mean score).

        The value of a rung is the mean normalised score over the search seeds.
        """
        if report.score is None or report.snapshot not in self.policies:
            return []
        if report.updates in self.scores:
            self.scores[report.updates][report.snapshot] = float(report.score["normalised"])
        complete = []
        for rung, updates in enumerate(self.trial.rungs):
            found = self.scores[updates]
            if rung == self.reached + 1 and len(found) == len(self.policies):
                self.reached = rung
                complete.append((rung, updates, statistics.fmean(found.values())))
        return complete


def drive(
    trial: Trial,
    source: DatasetRef,
    service: TrainingService,
    decide: Callable[[int, int, float], Decision],
) -> TrialOutcome:
    """Ask the service for the trial's jobs and wait until it ends; return how it ended.

    ``decide(rung, updates, value)`` is told of each rung once, in order, and says whether the
    trial stops there. All jobs are withdrawn at the end, whatever it is.
    """
    runs = trial.runs(source)
    rungs = Rungs(trial, runs)
    last = len(trial.rungs) - 1
    service.submit(trial.id, [job for run in runs for job in run.jobs])
    try:
        while True:
            for report in service.poll(trial.id):
                if report.kind in ("diverged", "failed"):
                    state: State = "diverged" if report.kind == "diverged" else "failed"
                    return TrialOutcome(state, _reached(rungs), report.reason)
                for rung, updates, value in rungs.take(report):
                    decision = decide(rung, updates, value)
                    if decision.stop:
                        return TrialOutcome("pruned", rung, decision.reason)
                    if rung == last:
                        return TrialOutcome("finished", rung)
    finally:
        service.cancel(trial.id)


def _reached(rungs: Rungs) -> int | None:
    return rungs.reached if rungs.reached >= 0 else None
