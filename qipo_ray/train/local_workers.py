"""The workers of the local service: one slot each, in this process or in one of its own."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from qipo_ray.study.job import Job
from qipo_ray.study.job_events import JobEvent
from qipo_ray.train.runner import JobRunner

STOP_LIMIT_S = 20.0  # for a process to save its job and leave; then it is killed
ORPHAN_S = 2.0  # for a process whose driver was killed to save its job; then it ends itself
STOP = "stop"  # the order to save the job and take it out of its slot


class WorkerDied(RuntimeError):
    """A worker's process ended while it had a job."""


class InProcessWorker:
    """Trains one job at a time in this process, on one torch thread.

    What cannot be trained here ends as a ``failed`` event. An exception within an update, such as
    Ctrl-C, leaves nothing of that update behind: the job goes on from its last checkpoint.
    """

    def __init__(self, name: str, root: Path, device: str) -> None:
        self.name = name
        self.job: Job | None = None
        self._root, self._device = root, device
        self._runner = JobRunner(root, device=device)

    @property
    def connection(self) -> Connection | None:
        """What to wait for before ``events``: nothing."""
        return None

    def start(self, job: Job) -> None:
        """Take a job, which the next ``events`` begins with."""
        self.job = job

    def events(self) -> list[JobEvent]:
        """Return what came of starting the job, or of one more step."""
        job = self.job
        if job is None:
            return []
        if self._runner.active:
            return self._guarded(self._runner.step)
        return self._guarded(lambda: self._runner.start(job))

    def stop(self) -> list[JobEvent]:
        """Save the job and leave its slot; return the event that says so."""
        job = self.job
        if job is None:
            return []
        if not self._runner.active:  # it was not started yet
            self.job = None
            return [JobEvent("dropped", job.snapshot, 0, 0.0)]
        return self._guarded(lambda: [self._runner.stop(job.key)])

    def hang_up(self) -> None:
        """Nothing: there is no other process to begin to leave."""

    def close(self) -> None:
        """Save the job in hand."""
        self.stop()

    def _guarded(self, act: Callable[[], list[JobEvent]]) -> list[JobEvent]:
        torch.set_num_threads(1)
        try:
            events = act()
        except BaseException:
            self.job = None
            self._runner = JobRunner(self._root, device=self._device)
            raise
        if not self._runner.active:
            self.job = None
        return events


class ProcessWorker:
    """Trains one job at a time in a process of its own, which a death starts again.

    The process saves its job and leaves when this one ends, however it ends.
    """

    def __init__(self, name: str, root: Path, device: str) -> None:
        self.name = name
        self.job: Job | None = None
        self._arguments = (name, root, device)
        self._begin()

    def _begin(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, child_end = context.Pipe()
        self._process = context.Process(target=serve, args=(child_end, *self._arguments))
        with _without_interrupts():
            self._process.start()
        child_end.close()

    def start(self, job: Job) -> None:
        """Send a job to the process."""
        self.job = job
        self._call(lambda: self.connection.send(job))

    def events(self) -> list[JobEvent]:
        """Return the next events; ``WorkerDied`` if the process is gone, and begin another.

        An ``OSError`` of the process is raised here.
        """
        events: list[JobEvent] = self._call(self.connection.recv)
        if any(event.leaves_slot for event in events):
            self.job = None
        return events

    def stop(self) -> list[JobEvent]:
        """Save the job and leave its slot; return all events up to then."""
        if self.job is None:
            return []
        self._call(lambda: self.connection.send(STOP))
        events: list[JobEvent] = []
        while True:
            reply = self._call(self.connection.recv)
            if reply == STOP:
                self.job = None
                return events
            events += reply

    def hang_up(self) -> None:
        """Let the process save its job and leave."""
        self.connection.close()

    def close(self) -> None:
        """Wait until the process has left."""
        self.hang_up()
        self._process.join(STOP_LIMIT_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _call(self, act: Callable[[], Any]) -> Any:
        try:
            reply = act()
            if isinstance(reply, OSError):  # as of a full disk: nothing that another try mends
                raise reply
            return reply
        except (EOFError, BrokenPipeError, ConnectionResetError):
            self._process.join(STOP_LIMIT_S)
            code = self._process.exitcode
            self.close()
            self.job = None
            self._begin()
            raise WorkerDied(f"its process ended with code {code}") from None


def serve(connection: Connection, name: str, root: Path, device: str) -> None:
    """Train what comes through ``connection`` until it closes, or its other end dies."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    worker = InProcessWorker(name, root, device)
    try:
        while True:
            if worker.job is None or connection.poll():
                order = connection.recv()
                if order != STOP:
                    worker.start(order)
                    continue
                connection.send(worker.stop())
                connection.send(STOP)
            else:
                connection.send(worker.events())
    except (EOFError, BrokenPipeError, ConnectionResetError):
        worker.close()
    except OSError as error:
        connection.send(error)


def end_with_parent() -> None:
    """Wait until the process that started this one is gone, then end this one, whatever it does.

    At most what was trained since the last checkpoint is lost.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        time.sleep(ORPHAN_S)
        os._exit(1)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Let processes that start here ignore Ctrl-C: their parent closes the connection instead."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
