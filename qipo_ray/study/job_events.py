"""What a host says of its jobs. Light to import: a report is read by many thin processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from qipo_ray.study.job import CheckpointRef

EventKind = Literal["progress", "score", "finished", "diverged", "dropped", "failed"]
Score = dict[str, Any]
Topic = tuple[Any, ...]


@dataclass(frozen=True)
class JobEvent:
    """News of a job: where it is, its metrics or score, and the seconds it was trained for.

    ``dropped``: it left its slot and can go on from its checkpoint. ``failed``: it cannot be
    trained here, for a reason that is not in its numbers.
    """

    kind: EventKind
    snapshot: CheckpointRef  # the job's; ``updates`` is its length
    updates: int
    seconds: float
    metrics: Mapping[str, float] = field(default_factory=dict)
    score: Score | None = None
    reason: str = ""

    @property
    def lasting(self) -> bool:
        """Whether it stays true: a score or an end, not where the job is just now."""
        return self.kind not in ("progress", "dropped")

    @property
    def topic(self) -> Topic:
        """What it is news of: of two lasting reports on one topic, the second adds nothing."""
        if self.score is not None:
            return ("score", self.snapshot, self.updates, self.score["episodes"])
        return ("end" if self.lasting else "place", self.snapshot)
