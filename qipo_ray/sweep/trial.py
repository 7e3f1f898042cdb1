"""A trial: one configuration over the search seeds, compared with others at its rungs."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from qipo_ray.config import Config, from_dict
from qipo_ray.sweep.rule import Decision
from qipo_ray.train.job import Run
from qipo_ray.train.report import Report

if TYPE_CHECKING:
    from qipo_ray.train.service import Service

State = Literal["finished", "pruned", "diverged", "failed"]


@dataclass(frozen=True)
class Source:
    """A task's data set, as every machine of the sweep finds it."""

    path: str
    sha256: str


@dataclass(frozen=True)
class Trial:
    """What an intent says, ready to run."""

    id: str
    task: str
    position: int
    origin: str
    params: Mapping[str, Any]
    config: Config
    seeds: tuple[int, ...]
    rungs: tuple[int, ...]  # policy updates

    @classmethod
    def of(cls, intent: Mapping[str, Any]) -> Trial:
        """Return the trial of an intent."""
        return cls(
            id=intent["id"],
            task=intent["task"],
            position=intent["position"],
            origin=intent["origin"],
            params=intent["params"],
            config=from_dict(intent["config"], f"trial {intent['id']}"),
            seeds=tuple(intent["seeds"]),
            rungs=tuple(intent["rungs"]),
        )

    def runs(self, source: Source) -> tuple[Run, ...]:
        """Return one run a seed."""
        return tuple(
            Run(self.task, self.config, seed, source.path, source.sha256, self.rungs)
            for seed in self.seeds
        )


@dataclass(frozen=True)
class Outcome:
    """How a trial ended; ``rung`` is the last that it reached, None if it reached none."""

    state: State
    rung: int | None
    reason: str | None = None


class Rungs:
    """Collects the scores of a trial's runs until a rung has one from every seed."""

    def __init__(self, trial: Trial, runs: tuple[Run, ...]) -> None:
        self.trial = trial
        self.policies = {run.jobs[-1].snapshot for run in runs}
        self.scores: dict[int, dict[Any, float]] = {updates: {} for updates in trial.rungs}
        self.reached = -1

    def take(self, report: Report) -> list[tuple[int, int, float]]:
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
    source: Source,
    service: Service,
    decide: Callable[[int, int, float], Decision],
) -> Outcome:
    """Ask the service for the trial's jobs and wait until it ends; return how it ended.

    ``decide(rung, updates, value)`` is told of each rung once, in order, and says whether the
    trial stops there. All jobs are withdrawn at the end, whatever it is.
    """
    runs = trial.runs(source)
    rungs = Rungs(trial, runs)
    last = len(trial.rungs) - 1
    service.want(trial.id, [job for run in runs for job in run.jobs])
    try:
        while True:
            for report in service.news(trial.id):
                if report.kind in ("diverged", "failed"):
                    state: State = "diverged" if report.kind == "diverged" else "failed"
                    return Outcome(state, _reached(rungs), report.reason)
                for rung, updates, value in rungs.take(report):
                    decision = decide(rung, updates, value)
                    if decision.stop:
                        return Outcome("pruned", rung, decision.reason)
                    if rung == last:
                        return Outcome("finished", rung)
    finally:
        service.forget(trial.id)


def _reached(rungs: Rungs) -> int | None:
    return rungs.reached if rungs.reached >= 0 else None
