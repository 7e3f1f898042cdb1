"""A trial: one configuration over the search seeds, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from qipo_ray.config import Config, from_dict
from qipo_ray.data.tasks import Task
from qipo_ray.study.job import Run
from qipo_ray.study.objective import SCORE, Objective


class TrialState(str, Enum):
    """How a trial, or a single run, stands; the value is what intents, logs and records hold."""

    RUNNING = "running"
    FINISHED = "finished"
    PRUNED = "pruned"  # stopped by the rule, at a rung
    DIVERGED = "diverged"
    FAILED = "failed"
    LOST = "lost"  # its processes died too often: no end and no record, a resume tries it again

    def __str__(self) -> str:
        """Return the value, as f-strings and JSON show it."""
        return self.value

    @property
    def broken(self) -> bool:
        """Whether it ended without a result that counts."""
        return self in BROKEN

    @property
    def ended(self) -> bool:
        """Whether nothing more comes of it."""
        return self in ENDED


BROKEN = (TrialState.DIVERGED, TrialState.FAILED)
ENDED = (TrialState.FINISHED, TrialState.PRUNED, *BROKEN)  # states of a record


@dataclass(frozen=True)
class DatasetRef:
    """A task's data set, as every machine of the sweep finds it."""

    path: str
    sha256: str
    own_task: Task | None = None  # a user's, for the machines that do not have its file


@dataclass(frozen=True)
class Trial:
    """What an intent says, ready to run."""

    id: str
    task: str
    position: int  # in the task's study, from 0
    origin: str  # paper | grid | search
    params: Mapping[str, Any]  # searched settings by dotted key
    config: Config
    config_hash: str  # as the intent names it
    seeds: tuple[int, ...]
    rungs: tuple[int, ...]  # policy updates
    written: str  # UTC ISO 8601
    objective: Objective = SCORE

    @classmethod
    def from_intent(cls, intent: Mapping[str, Any]) -> Trial:
        """Return the trial of an intent; ``UserError`` if its configuration cannot be read."""
        return cls(
            id=intent["id"],
            task=intent["task"],
            position=intent["position"],
            origin=intent["origin"],
            params=intent["params"],
            config=from_dict(intent["config"], f"trial {intent['id']}"),
            config_hash=intent["config_hash"],
            seeds=tuple(intent["seeds"]),
            rungs=tuple(intent["rungs"]),
            written=intent["written"],
            objective=intent.get("objective", SCORE),
        )

    def runs(self, dataset: DatasetRef) -> tuple[Run, ...]:
        """Return one run per seed."""
        return tuple(
            Run(
                self.task,
                self.config,
                seed,
                dataset.path,
                dataset.sha256,
                self.rungs,
                dataset.own_task,
                objective=self.objective,
            )
            for seed in self.seeds
        )


@dataclass(frozen=True)
class TrialOutcome:
    """How a trial ended; ``rung`` is the last that it reached, None if it reached none."""

    state: TrialState
    rung: int | None
    reason: str | None = None
