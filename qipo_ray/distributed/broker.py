"""The broker: gives the jobs that have subscribers to workers with free slots.

A plain async class; the service makes a Ray actor of it. It may die at any time: results are in
the store, the next call of each worker names its jobs, and clients submit again.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from qipo_ray.distributed.machines import Machines
from qipo_ray.study.job import CheckpointRef, Job
from qipo_ray.study.job_events import JobEvent
from qipo_ray.train.job_queue import LOST_MACHINES, JobQueue
from qipo_ray.train.job_store import JobStore
from qipo_ray.train.training_service import EVERYONE

SILENT_S = 60.0  # without a call: then a worker counts as lost
IDLE_S = 2.0  # that an idle worker's call waits for a job
LOOK_S = 2.0  # between looks at the machines
GRACE_S = 10.0  # after a restart: busy workers and waiting clients call before jobs are given out


_Call = asyncio.Future[None]  # one that waits


@dataclass(frozen=True)
class Orders:
    """Orders for a worker: jobs to admit, keys of jobs to stop, or to save all and end."""

    admit: tuple[Job, ...] = ()
    stop: tuple[str, ...] = ()
    close: bool = False


class PollResult(NamedTuple):
    """Events for a subscriber, the serial number of the newest, and the life of the broker."""

    life: str
    serial: int
    events: list[JobEvent]


class Process(NamedTuple):
    """One incarnation of a worker, and the id of the machine that it runs on."""

    incarnation: str
    machine: str = ""


class RollCall(NamedTuple):
    """The workers at work, and those that went with their machines since the last call, and why.

    A worker that was told that its machine is to go has left in order; others were lost.
    """

    at_work: tuple[str, ...]
    left: tuple[tuple[str, str], ...]


@dataclass
class _Worker:
    """A worker's process, with the time of its last call."""

    process: Process
    last_call: float


class Broker:
    """Trains equal jobs once, in slots of equal shape, as long as they have subscribers."""

    def __init__(
        self,
        root: Path,
        *,
        restarted: bool = False,
        clock: Callable[[], float] = time.monotonic,
        machines: Callable[[], Machines] = lambda: Machines((), ()),
    ) -> None:
        """Start from the store under ``root``; ``restarted`` if another life ended just now."""
        self.queue = JobQueue(JobStore(root))
        self.graph = self.queue.graph
        self.life = secrets.token_hex(4)
        self.workers: dict[str, _Worker] = {}
        self.closing = False
        self._clock, self._machines = clock, machines
        self._seen, self._looked = Machines((), ()), -LOOK_S
        self._left: list[tuple[str, str]] = []  # since the last roll call
        self._opens_at = clock() + (GRACE_S if restarted else 0.0)
        self._replaced: set[str] = set()  # incarnations
        self._polls: dict[str, list[_Call]] = {}  # waiting calls, by subscriber
        self._idle: dict[_Call, None] = {}  # those of workers, in order of coming

    # ---- for clients

    async def submit(self, subscriber: str, jobs: Sequence[Job]) -> str:
        """Queue jobs for a subscriber and return the life of the broker; idempotent."""
        self.queue.submit(subscriber, jobs)
        self._wake()
        return self.life

    async def cancel(self, subscriber: str) -> None:
        """Drop a subscriber; jobs without subscribers leave the queue and, soon, their slots."""
        self.queue.cancel(subscriber)
        self._wake()

    async def poll(
        self, subscriber: str, life: str, last_serial: int, timeout_s: float
    ) -> PollResult:
        """Return a subscriber's events after ``last_serial``; it waits for one at most so long.

        ``life`` is from ``submit`` or the last ``poll``. A client that gets another one, which
        is returned at once, submits again.
        """
        if life != self.life and subscriber != EVERYONE:
            return PollResult(self.life, 0, [])
        end = self._clock() + timeout_s
        last_serial = last_serial if life == self.life else 0
        serial, events = self.queue.poll(subscriber, last_serial)
        while not events and await self._wait_for_news(subscriber, end):
            serial, events = self.queue.poll(subscriber, last_serial)
        return PollResult(self.life, serial, events)

    # ---- for workers

    async def pull(
        self,
        worker: str,
        process: Process,
        free_slots: int,
        active: Sequence[Job],
        events: Sequence[JobEvent],
    ) -> Orders:
        """Take in a worker's events and active jobs, and return its orders.

        ``active`` decides: a job that was given to the worker and is not among them goes back to
        the queue. An idle worker's call waits a little for a job.
        """
        known = self._register(worker, process)
        if known is None:
            return Orders(close=True)
        self._update(worker, active, events)
        end = self._clock() + IDLE_S
        orders = self._orders(worker, free_slots, active)
        while orders == Orders() and not active and await self._wait_for_job(end):
            if self.workers.get(worker) is known:
                orders = self._orders(worker, free_slots, active)
            else:
                orders = Orders(close=True)
        if orders != Orders():
            self._wake()  # it took the job that it was woken for, or left it to the next
        return orders

    async def beat(self, worker: str, process: Process) -> None:
        """Note that a worker is alive, while it is busy with a long step."""
        known = self.workers.get(worker)
        if known is not None and known.process == process:
            self._note_call(worker, known)

    async def leave(self, worker: str, process: Process, events: Sequence[JobEvent]) -> None:
        """Take in the last events of a worker that ends; what it saved goes on elsewhere."""
        if self._register(worker, process) is None:
            return
        self._update(worker, (), events)
        del self.workers[worker]
        if process.machine in self._seen.leaving:
            self._left.append((worker, "its machine is to be taken away"))
        self._wake()

    async def roll_call(self) -> RollCall:
        """Return which workers are at work; for the driver alone, to which it is news."""
        self._look()
        self._release_silent()
        left, self._left = self._left, []
        return RollCall(tuple(self.workers), tuple(left))

    async def close(self) -> None:
        """Order each worker to close at its next call."""
        self.closing = True
        for call in self._idle:
            _answer(call)

    def _register(self, name: str, process: Process) -> _Worker | None:
        """Return the calling worker; None if a newer process replaced this one."""
        if process.incarnation in self._replaced:
            return None
        known = self.workers.get(name)
        if known is None or known.process != process:
            if known is not None:
                self._replaced.add(known.process.incarnation)
                self._lose(name, f"worker {name} died")
            known = self.workers[name] = _Worker(process, 0.0)
        self._note_call(name, known)
        return known

    def _note_call(self, name: str, worker: _Worker) -> None:
        """Note the time; the worker that was silent longest is then the first."""
        worker.last_call = self._clock()
        self.workers[name] = self.workers.pop(name)

    def _lose(self, name: str, reason: str) -> None:
        """Take back the jobs of a lost worker; where its machine is gone, none is to blame."""
        if self._is_gone(self.workers.pop(name).process.machine):
            self._left.append((name, "its machine is gone"))
            for job in self.graph.release(name):
                self.queue.set_back(job, "its machine was lost", LOST_MACHINES)
        for job in self.graph.release(name):
            self.queue.set_back(job, reason)
        self._wake()

    def _is_gone(self, machine: str) -> bool:
        return bool(machine) and machine not in self._seen.alive

    def _look(self) -> None:
        """See which machines there are, and take back the jobs of workers that lost theirs."""
        if self._clock() - self._looked < LOOK_S:
            return
        self._looked, self._seen = self._clock(), self._machines()
        for name, worker in list(self.workers.items()):
            if self._is_gone(worker.process.machine):
                self._lose(name, "")

    def _release_silent(self) -> None:
        limit = self._clock() - SILENT_S
        silent = takewhile(lambda item: item[1].last_call < limit, self.workers.items())
        for name, _ in list(silent):
            self._lose(name, f"worker {name} was silent for {SILENT_S:.0f} s")

    def _update(self, worker: str, active: Sequence[Job], events: Sequence[JobEvent]) -> None:
        for job in active:
            self.graph.adopt(job, worker)
        owned = {job.snapshot for job in self.graph.owned(worker)}
        for event in events:
            if event.snapshot in owned:
                self.queue.settle(event)
        self.graph.release(worker, but={job.snapshot for job in active})
        self._wake()

    def _orders(self, worker: str, free_slots: int, active: Sequence[Job]) -> Orders:
        self._look()
        known = self.workers.get(worker)
        if self.closing or known is None or known.process.machine in self._seen.leaving:
            return Orders(close=True)
        self._release_silent()
        needed = self._needed(worker)
        stop = tuple(job.key for job in active if job.snapshot not in needed)
        if self._clock() < self._opens_at:
            return Orders(stop=stop)
        pack = list(active)
        while len(pack) < len(active) + free_slots:
            job = self.graph.start(worker, pack)
            if job is None:
                break
            pack.append(job)
        return Orders(tuple(pack[len(active) :]), stop)

    def _needed(self, worker: str) -> set[CheckpointRef]:
        """Return the jobs of a worker that have subscribers, or may still get them."""
        early = self._clock() < self._opens_at
        owned = (job.snapshot for job in self.graph.owned(worker))
        return {s for s in owned if early or self.graph.entries[s].subscribers}

    # ---- changes wake waiting calls: of clients with news, of one worker if there is a job

    def _wake(self) -> None:
        for subscriber in self.queue.told:
            for call in self._polls.get(subscriber, ()):
                _answer(call)
        self.queue.told.clear()
        if self._clock() >= self._opens_at and self.graph.waits:
            _answer(next((call for call in self._idle if not call.done()), None))

    async def _wait_for_news(self, subscriber: str, end: float) -> bool:
        """Return True as soon as there is an event, False once the time is up."""
        call, calls = _Call(), self._polls.setdefault(subscriber, [])
        calls.append(call)
        try:
            return await self._answered(call, end)
        finally:
            calls.remove(call)
            if not calls:
                del self._polls[subscriber]

    async def _wait_for_job(self, end: float) -> bool:
        """Return True as soon as there may be a job for an idle worker, False as above."""
        call = _Call()
        self._idle[call] = None
        try:
            return await self._answered(call, end)
        finally:
            del self._idle[call]

    async def _answered(self, call: _Call, end: float) -> bool:
        try:
            await asyncio.wait_for(call, end - self._clock())
        except asyncio.TimeoutError:
            return False
        return True


def _answer(call: _Call | None) -> None:
    if call is not None and not call.done():
        call.set_result(None)
