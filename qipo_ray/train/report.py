"""What a host says of its jobs. Light to import: a report is read by many thin processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from qipo_ray.train.job import Snapshot

Kind = Literal["progress", "score", "finished", "diverged", "dropped", "failed"]
Score = dict[str, Any]


@dataclass(frozen=True)
class Report:
    """News of a job: where it is, its metrics or score, and the seconds it was trained for.

    ``dropped``: it left its slot and can go on from its checkpoint. ``failed``: it cannot be
    trained here, for a reason that is not in its numbers.
    """

    kind: Kind
    snapshot: Snapshot  # the job's; ``updates`` is its length
    updates: int
    seconds: float
    metrics: Mapping[str, float] = field(default_factory=dict)
    score: Score | None = None
    reason: str = ""
