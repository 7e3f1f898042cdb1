"""The broker: gives the jobs that somebody waits for to workers with free slots.

A plain async class; the service makes a Ray actor of it. It may die at any time: what is done is
in the store, what runs is in the next call of each worker, and what is wanted in that of each
client.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from qipo_ray.study.job import CheckpointRef, Job, fits_pack
from qipo_ray.study.job_events import JobEvent
from qipo_ray.train.job_queue import JobQueue
from qipo_ray.train.job_store import JobStore
from qipo_ray.train.training_service import EVERYONE

SILENT_S = 60.0  # a worker that was not heard of for so long is taken for gone
IDLE_S = 2.0  # an idle worker's call waits so long for a job
GRACE_S = 10.0  # after a restart: busy workers and waiting clients call before jobs are given out


@dataclass(frozen=True)
class Orders:
    """What a worker is to do: jobs to admit, keys of jobs to stop, or to save all and leave."""

    admit: tuple[Job, ...] = ()
    stop: tuple[str, ...] = ()
    close: bool = False


class PollResult(NamedTuple):
    """Events for a subscriber, the serial number of the newest, and the life of the broker."""

    life: str
    serial: int
    reports: list[JobEvent]


@dataclass
class _Worker:
    """A process that calls: one incarnation of a worker."""

    incarnation: str
    heard: float
    slots: int = 0


class Broker:
    """Jobs by key, one training for equal ones, in slots of equal shape, while somebody waits."""

    def __init__(
        self,
        root: Path,
        *,
        restarted: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start from the store under ``root``; ``restarted`` if another life ended just now."""
        self.queue = JobQueue(JobStore(root))
        self.graph = self.queue.graph
        self.life = secrets.token_hex(4)
        self.workers: dict[str, _Worker] = {}
        self.closing = False
        self._clock = clock
        self._opens = clock() + (GRACE_S if restarted else 0.0)
        self._gone: set[str] = set()  # incarnations that were replaced
        self._change = asyncio.Event()

    # ---- for those who wait

    async def submit(self, subscriber: str, jobs: Sequence[Job]) -> str:
        """Queue jobs for a subscriber and return the life of the broker; idempotent."""
        self.queue.submit(subscriber, jobs)
        self._changed()
        return self.life

    async def cancel(self, subscriber: str) -> None:
        """Drop a subscriber; jobs that nobody waits for leave the queue and, soon, their slots."""
        self.queue.cancel(subscriber)
        self._changed()

    async def poll(self, subscriber: str, life: str, seen: int, timeout_s: float) -> PollResult:
        """Return a subscriber's reports after ``seen``, as soon as there are some or time is up.

        ``life`` is the one that ``submit`` or the last news told. A client that finds another one
        in the answer, which then comes at once, submits again.
        """
        if life != self.life and subscriber != EVERYONE:
            return PollResult(self.life, 0, [])
        end = self._clock() + timeout_s
        seen = seen if life == self.life else 0
        serial, reports = self.queue.poll(subscriber, seen)
        while not reports and await self._changes(end):
            serial, reports = self.queue.poll(subscriber, seen)
        return PollResult(self.life, serial, reports)

    # ---- for workers

    async def pull(
        self,
        worker: str,
        incarnation: str,
        free_slots: int,
        active: Sequence[Job],
        reports: Sequence[JobEvent],
    ) -> Orders:
        """Take in a worker's reports and what it trains, and return what it is to do next.

        ``active`` is the truth about its slots: a job that it was given and does not have goes
        back to the queue. An idle worker's call waits a little for a job.
        """
        known = self._hear(worker, incarnation, free_slots + len(active))
        if known is None:
            return Orders(close=True)
        self._take_in(worker, active, reports)
        end = self._clock() + IDLE_S
        orders = self._orders(worker, free_slots, active)
        while orders == Orders() and not active and await self._changes(end):
            if self.workers.get(worker) is not known:
                return Orders(close=True)
            orders = self._orders(worker, free_slots, active)
        return orders

    async def beat(self, worker: str, incarnation: str) -> None:
        """Note that a worker is alive, while it is busy with a long step."""
        known = self.workers.get(worker)
        if known is not None and known.incarnation == incarnation:
            known.heard = self._clock()

    async def close(self) -> None:
        """Send each worker away at its next call."""
        self.closing = True
        self._changed()

    def _hear(self, name: str, incarnation: str, slots: int) -> _Worker | None:
        """Note a call; None if the caller was replaced by a newer process."""
        if incarnation in self._gone:
            return None
        known = self.workers.get(name)
        if known is None or known.incarnation != incarnation:
            if known is not None:
                self._gone.add(known.incarnation)
                self._lose(name, f"worker {name} died")
            known = self.workers[name] = _Worker(incarnation, 0.0)
        known.heard, known.slots = self._clock(), slots
        return known

    def _lose(self, name: str, reason: str) -> None:
        del self.workers[name]
        for job in self.graph.release(name):
            self.queue.set_back(job, reason)
        self._changed()

    def _release_silent(self) -> None:
        limit = self._clock() - SILENT_S
        for name in [name for name, worker in self.workers.items() if worker.heard < limit]:
            self._lose(name, f"worker {name} was silent for {SILENT_S:.0f} s")

    def _take_in(self, worker: str, active: Sequence[Job], reports: Sequence[JobEvent]) -> None:
        for job in active:
            self.graph.adopt(job, worker)
        mine = {job.snapshot for job in self.graph.owned(worker)}
        for report in reports:
            if report.snapshot in mine:
                self.queue.settle(report)
        self.graph.release(worker, but={job.snapshot for job in active})
        if reports:
            self._changed()

    def _orders(self, worker: str, free_slots: int, active: Sequence[Job]) -> Orders:
        if self.closing:
            return Orders(close=True)
        self._release_silent()
        wanted = self._wanted(worker)
        stop = tuple(job.key for job in active if job.snapshot not in wanted)
        if self._clock() < self._opens:
            return Orders(stop=stop)
        here = list(active)
        while len(here) < len(active) + free_slots:
            job = self.graph.start(worker, lambda job: fits_pack(job, here))
            if job is None:
                break
            here.append(job)
        return Orders(tuple(here[len(active) :]), stop)

    def _wanted(self, worker: str) -> set[CheckpointRef]:
        """Return the jobs that a worker should go on with."""
        early = self._clock() < self._opens
        return {
            snapshot
            for snapshot, entry in self.graph.entries.items()
            if entry.owner == worker and (entry.subscribers or early)
        }

    # ---- changes wake those who wait

    def _changed(self) -> None:
        self._change.set()
        self._change = asyncio.Event()

    async def _changes(self, end: float) -> bool:
        """Return True when something changed, False once the time is up."""
        try:
            await asyncio.wait_for(self._change.wait(), end - self._clock())
        except asyncio.TimeoutError:
            return False
        return True
