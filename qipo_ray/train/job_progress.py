"""How far a set of jobs has come, and when it will be done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from qipo_ray.study.job import CheckpointRef, Job
from qipo_ray.study.job_events import JobEvent


class Progress:
    """Counts updates by stage, and measures wall seconds per update, scoring included.

    A stage that has not run yet is taken to be as fast as the mean of those that have.
    """

    def __init__(
        self,
        jobs: Iterable[Job],
        done: Iterable[CheckpointRef],
        workers: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.workers, self.clock = workers, clock
        self.length = {job.snapshot: job.length for job in jobs}
        self.reached = dict.fromkeys(self.length, 0) | {s: s.updates for s in done}
        self.seen: dict[CheckpointRef, float] = {}
        self.spent: dict[str, float] = {}  # wall seconds by stage
        self.trained: dict[str, int] = {}  # updates by stage

    def note(self, event: JobEvent) -> None:
        """Take in an event."""
        snapshot, now = event.snapshot, self.clock()
        stage = snapshot.stage
        if snapshot in self.seen:
            gained = event.updates - self.reached[snapshot]
            self.trained[stage] = self.trained.get(stage, 0) + gained
            self.spent[stage] = self.spent.get(stage, 0) + now - self.seen[snapshot]
        self.seen[snapshot] = now
        self.reached[snapshot] = (
            self.length[snapshot] if event.kind == "diverged" else event.updates
        )

    @property
    def share(self) -> float:
        """Return the share of all updates that is done, 0 to 1."""
        total = sum(self.length.values())
        return sum(self.reached.values()) / total if total else 1.0

    @property
    def seconds_left(self) -> float | None:
        """Return the expected wall seconds to the end; None until something was measured."""
        updates = sum(self.trained.values())
        if not updates:
            return None
        mean = sum(self.spent.values()) / updates
        left = 0.0
        for snapshot, length in self.length.items():
            stage = snapshot.stage
            pace = self.spent[stage] / self.trained[stage] if self.trained.get(stage) else mean
            left += pace * (length - self.reached[snapshot])
        return left / self.workers
