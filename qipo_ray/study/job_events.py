"""Events of jobs, as runners report them. Light to import: many thin processes read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from qipo_ray.study.job import CheckpointRef

EventKind = Literal[
    "progress",
    "score",
    "signals",
    "finished",
    "diverged",
    "dropped",
    "parted",
    "failed",
    "lost",
]
Score = dict[str, Any]
Topic = tuple[Any, ...]


@dataclass(frozen=True)
class JobEvent:
    """What happened to a job: how far it is, a score or signals, or its end, after some seconds.

    ``dropped``: it left its slot and can go on from its checkpoint; ``parted``: as long as it is
    alone, for it broke together with others. ``failed``: it cannot be trained here, for a reason
    that is not in its numbers. ``lost``: its processes died too often, or another one is in its
    way, which says nothing of the job.
    """

    kind: EventKind
    snapshot: CheckpointRef  # the job's; ``updates`` is its length
    updates: int
    seconds: float
    score: Score | None = None
    reason: str = ""

    @property
    def ended(self) -> bool:
        """Whether the job is over: done, or given up."""
        return self.kind in ("finished", "diverged", "failed", "lost")

    @property
    def leaves_slot(self) -> bool:
        """Whether the job is in its worker's slot no more."""
        return self.ended or self.goes_on

    @property
    def goes_on(self) -> bool:
        """Whether the job left its slot, and can go on in another."""
        return self.kind in ("dropped", "parted")

    @property
    def lasting(self) -> bool:
        """Whether it stays true: a score or an end, not where the job is just now."""
        return self.ended or self.kind in ("score", "signals")

    @property
    def topic(self) -> Topic:
        """What it is about: of two lasting events on one topic, the second adds nothing."""
        if self.score is not None:
            return (self.kind, self.snapshot, self.updates, self.score.get("episodes"))
        return ("end" if self.lasting else "place", self.snapshot)
