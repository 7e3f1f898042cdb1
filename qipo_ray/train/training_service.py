"""The training service as its users see it, and one that trains in this process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol

import torch

from qipo_ray.errors import UserError
from qipo_ray.study.job import Job
from qipo_ray.study.job_events import JobEvent
from qipo_ray.train.job_queue import JobQueue
from qipo_ray.train.job_store import JobStore
from qipo_ray.train.runner import JobRunner


class TrainingService(Protocol):
    """Trains submitted jobs, equal ones once, and tells each subscriber of its own.

    A subscriber hears of every score and of every end (``finished``, ``diverged`` or ``failed``),
    also of those that the store knew before; of progress it hears the newest. A subscriber ``"*"``
    submits nothing and hears everything.
    """

    def submit(self, subscriber: str, jobs: Sequence[Job]) -> None:
        """Queue jobs and, among them, all that they build on; a job wanted again is no news."""

    def poll(self, subscriber: str) -> list[JobEvent]:
        """Return the new events of a subscriber, after at most a few seconds; maybe none."""

    def cancel(self, subscriber: str) -> None:
        """Drop a subscriber; jobs that nobody waits for any more are saved and stopped."""


class LocalTrainingService:
    """The service in this process, without Ray: one job after another, on one torch thread.

    It trains while somebody asks for news. Leaving the ``with`` block saves the job in hand.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.queue = JobQueue(JobStore(root))
        self.host = JobRunner(root)
        self._seen: dict[str, int] = {}

    def __enter__(self) -> LocalTrainingService:
        """Return the service."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Save the job in hand."""
        self.close()

    def submit(self, subscriber: str, jobs: Sequence[Job]) -> None:
        """Queue jobs and, among them, all that they build on; a job wanted again is no news."""
        self.queue.submit(subscriber, jobs)

    def poll(self, subscriber: str) -> list[JobEvent]:
        """Return what is new for the subscriber; if nothing is, train one step first."""
        reports = self._unread(subscriber)
        if not reports:
            self._step()
            reports = self._unread(subscriber)
        return reports

    def cancel(self, subscriber: str) -> None:
        """Drop a subscriber; the job in hand is saved and stopped if nobody waits for it."""
        self._seen.pop(subscriber, None)
        for job in self.queue.cancel(subscriber):
            self.queue.settle(self.host.stop(job.key))

    def close(self) -> None:
        """Save the job in hand."""
        for key in list(self.host.active):
            self.queue.settle(self.host.stop(key))

    def _unread(self, subscriber: str) -> list[JobEvent]:
        self._seen[subscriber], reports = self.queue.poll(
            subscriber, self._seen.get(subscriber, 0)
        )
        return reports

    def _step(self) -> None:
        torch.set_num_threads(1)
        try:
            reports = self.host.step() if self.host.active else self._start()
        except BaseException:  # Ctrl-C within an update: what it left must not be saved
            self.host = JobRunner(self.root)
            self.queue.graph.release("here")
            raise
        for report in reports:
            self.queue.settle(report)

    def _start(self) -> list[JobEvent]:
        job = self.queue.graph.start("here", self.host.engine.fits)
        if job is None:
            return []
        try:
            return self.host.admit(job)
        except UserError as error:
            return [JobEvent("failed", job.snapshot, 0, 0.0, reason=str(error))]
