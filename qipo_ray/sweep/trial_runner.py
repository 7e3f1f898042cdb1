"""Run one trial: submit its jobs, collect its rungs, and say how it ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qipo_ray.study.asha import Decision
from qipo_ray.study.job import CheckpointRef, Run
from qipo_ray.study.job_events import JobEvent
from qipo_ray.study.objective import SCORE, measured, merit
from qipo_ray.study.trial import DatasetRef, Trial, TrialOutcome, TrialState

if TYPE_CHECKING:
    from qipo_ray.train.training_service import TrainingService

Decide = Callable[[int, int, float | None], Decision]  # (rung, updates, value)


class RungScores:
    """Collects what a trial's runs are compared by until a rung has it from every seed."""

    def __init__(self, trial: Trial, runs: tuple[Run, ...]) -> None:
        self.trial = trial
        self.policies = {run.jobs[-1].snapshot for run in runs}
        self.kind = "score" if trial.objective == SCORE else "signals"
        self.values: dict[int, dict[CheckpointRef, float | None]] = {u: {} for u in trial.rungs}
        self.reached = -1

    def take(self, event: JobEvent) -> list[tuple[int, int, float | None]]:
        """Return the rungs that an event completes, as (rung, updates, value).

        The value of a rung is the mean of the objective over the search seeds, turned round where
        less of it is better; None where a seed has none.
        """
        score, objective = event.score, self.trial.objective
        if score is None or event.kind != self.kind or event.snapshot not in self.policies:
            return []
        if event.updates in self.values:
            self.values[event.updates][event.snapshot] = measured(objective, score)
        complete = []
        for rung, updates in enumerate(self.trial.rungs):
            values = self.values[updates]
            if rung == self.reached + 1 and len(values) == len(self.policies):
                self.reached = rung
                complete.append((rung, updates, merit(objective, values.values())))
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
