"""Run one trial: submit its jobs, collect its rungs, and say how it ended."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import TYPE_CHECKING

from qipo_ray.study.asha import Decision
from qipo_ray.study.job import CheckpointRef, Run
from qipo_ray.study.job_events import JobEvent
from qipo_ray.study.trial import DatasetRef, Trial, TrialOutcome, TrialState

if TYPE_CHECKING:
    from qipo_ray.train.training_service import TrainingService

Decide = Callable[[int, int, float], Decision]  # (rung, updates, value)


class RungScores:
    """Collects the scores of a trial's runs until a rung has one from every seed."""

    def __init__(self, trial: Trial, runs: tuple[Run, ...]) -> None:
        self.trial = trial
        self.policies = {run.jobs[-1].snapshot for run in runs}
        self.scores: dict[int, dict[CheckpointRef, float]] = {u: {} for u in trial.rungs}
        self.reached = -1

    def take(self, event: JobEvent) -> list[tuple[int, int, float]]:
        """Return the rungs that an event completes, as (rung, updates, mean score).

        The value of a rung is the mean normalised score over the search seeds.
        """
        if event.score is None or event.snapshot not in self.policies:
            return []
        if event.updates in self.scores:
            self.scores[event.updates][event.snapshot] = float(event.score["normalised"])
        complete = []
        for rung, updates in enumerate(self.trial.rungs):
            scores = self.scores[updates]
            if rung == self.reached + 1 and len(scores) == len(self.policies):
                self.reached = rung
                complete.append((rung, updates, statistics.fmean(scores.values())))
        return complete


class TrialRunner:
    """A trial in the hands of a training service, from its first job to its outcome.

    ``decide(rung, updates, value)`` is asked at each rung once, in order, whether the trial stops
    there. The jobs are withdrawn at the end, whatever it is, and by ``close``.
    """

    def __init__(
        self, trial: Trial, dataset: DatasetRef, service: TrainingService, decide: Decide
    ) -> None:
        """Submit the trial's jobs."""
        runs = trial.runs(dataset)
        self.trial, self._service, self._decide = trial, service, decide
        self._rungs = RungScores(trial, runs)
        service.submit(trial.id, [job for run in runs for job in run.jobs])

    def advance(self) -> TrialOutcome | None:
        """Poll the service once; return how the trial ended, None while it goes on."""
        for event in self._service.poll(self.trial.id):
            outcome = self._outcome(event)
            if outcome is not None:
                self.close()
                return outcome
        return None

    def close(self) -> None:
        """Withdraw the trial's jobs."""
        self._service.cancel(self.trial.id)

    def _outcome(self, event: JobEvent) -> TrialOutcome | None:
        if event.kind in ("diverged", "failed", "lost"):
            reached = self._rungs.reached if self._rungs.reached >= 0 else None
            return TrialOutcome(TrialState(event.kind), reached, event.reason)
        for rung, updates, value in self._rungs.take(event):
            decision = self._decide(rung, updates, value)
            if decision.stop:
                return TrialOutcome(TrialState.PRUNED, rung, decision.reason)
            if rung == len(self.trial.rungs) - 1:
                return TrialOutcome(TrialState.FINISHED, rung)
        return None


def run_trial(
    trial: Trial, dataset: DatasetRef, service: TrainingService, decide: Decide
) -> TrialOutcome:
    """Return how a trial ended, after waiting for it."""
    runner = TrialRunner(trial, dataset, service, decide)
    try:
        while True:
            if (outcome := runner.advance()) is not None:
                return outcome
    except BaseException:
        runner.close()
        raise
