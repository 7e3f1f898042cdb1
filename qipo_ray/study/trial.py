"""A trial: one configuration over the search seeds, compared with others at its rungs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from qipo_ray.config import Config, from_dict
from qipo_ray.study.job import Run

State = Literal["finished", "pruned", "diverged", "failed"]


@dataclass(frozen=True)
class DatasetRef:
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

    def runs(self, source: DatasetRef) -> tuple[Run, ...]:
        """Return one run a seed."""
        return tuple(
            Run(self.task, self.config, seed, source.path, source.sha256, self.rungs)
            for seed in self.seeds
        )


@dataclass(frozen=True)
class TrialOutcome:
    """How a trial ended; ``rung`` is the last that it reached, None if it reached none."""

    state: State
    rung: int | None
    reason: str | None = None
