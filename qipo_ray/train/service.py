"""The training service as its users see it, and one that trains in this process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol

import torch

from qipo_ray.errors import UserError
from qipo_ray.train.desk import Desk
from qipo_ray.train.host import Host
from qipo_ray.train.job import Job
from qipo_ray.train.report import Report
from qipo_ray.train.results import Results


class Service(Protocol):
    """Trains the jobs that waiters want, equal jobs once, and tells each waiter of its own.

    A waiter hears of every score and of every end (``finished``, ``diverged`` or ``failed``),
    also of those that the store knew before; of progress it hears the newest. A waiter ``"*"``
    wants nothing and hears everything.
    """

    def want(self, waiter: str, jobs: Sequence[Job]) -> None:
        """Queue jobs and, among them, all that they build on; a job wanted again is no news."""

    def news(self, waiter: str) -> list[Report]:
        """Return what is new for the waiter, after at most a few seconds; it may be nothing."""

    def forget(self, waiter: str) -> None:
        """Drop a waiter; jobs that nobody waits for any more are saved and stopped."""


class LocalService:
    """The service in this process, without Ray: one job after another, on one torch thread.

    It trains while somebody asks for news. Leaving the ``with`` block saves the job in hand.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.desk = Desk(Results(root))
        self.host = Host(root)
        self._seen: dict[str, int] = {}

    def __enter__(self) -> LocalService:
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

    def want(self, waiter: str, jobs: Sequence[Job]) -> None:
        """Queue jobs and, among them, all that they build on; a job wanted again is no news."""
        self.desk.want(waiter, jobs)

    def news(self, waiter: str) -> list[Report]:
        """Return what is new for the waiter; if nothing is, train one step first."""
        reports = self._unread(waiter)
        if not reports:
            self._step()
            reports = self._unread(waiter)
        return reports

    def forget(self, waiter: str) -> None:
        """Drop a waiter; the job in hand is saved and stopped if nobody waits for it."""
        self._seen.pop(waiter, None)
        for job in self.desk.forget(waiter):
            self.desk.settle(self.host.stop(job.key))

    def close(self) -> None:
        """Save the job in hand."""
        for key in list(self.host.active):
            self.desk.settle(self.host.stop(key))

    def _unread(self, waiter: str) -> list[Report]:
        self._seen[waiter], reports = self.desk.news(waiter, self._seen.get(waiter, 0))
        return reports

    def _step(self) -> None:
        torch.set_num_threads(1)
        try:
            reports = self.host.step() if self.host.active else self._start()
        except BaseException:  # Ctrl-C within an update: what it left must not be saved
            self.host = Host(self.root)
            self.desk.graph.release("here")
            raise
        for report in reports:
            self.desk.settle(report)

    def _start(self) -> list[Report]:
        job = self.desk.graph.start("here", self.host.engine.fits)
        if job is None:
            return []
        try:
            return self.host.admit(job)
        except UserError as error:
            return [Report("failed", job.snapshot, 0, 0.0, reason=str(error))]
