"""The dispatcher carries runs' numbers from the store to loggers, and nothing waits for it.

A service that fails or stalls is switched off with one line in the log. What a thread has not
passed on yet is no queue: it is the set of runs that have news, and the store holds the news.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import TimeoutError as NoAnswer
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from qipo_ray.store.background import aside
from qipo_ray.study.job import CheckpointRef
from qipo_ray.study.job_events import JobEvent
from qipo_ray.tracking.loggers import LoggedRun, LoggerFactory, find_service, in_a_line
from qipo_ray.tracking.run_logger import RunLogger
from qipo_ray.tracking.tensorboard_logger import Page, TensorBoardLogger
from qipo_ray.train.job_store import JobStore

logger = logging.getLogger(__name__)

SYNC_EVERY_S = 3.0
STALL_S = 120.0  # in one call of a service, which may wait for a network
CLOSE_S = 60.0  # for all services together to take in the rest
PAGE = "page"

T = TypeVar("T")


class LogView(Protocol):
    """Shows something of the store; ``close`` begins with a last ``sync``."""

    def sync(self) -> None:
        """Show what is new."""

    def close(self) -> None:
        """Show what is new and end."""


class _SwitchedOff(Exception):
    """Ends the thread of a service that was given up."""


class LoggerThread:
    """Works the views of one service in a thread of its own.

    ``leave`` is called aside when the service is given up: no end of the process waits for it.
    """

    def __init__(self, name: str, leave: Callable[[], None] = lambda: None) -> None:
        self.name, self._leave = name, leave
        self._lock = threading.Lock()
        self._followed: dict[Hashable, tuple[Callable[[], LogView], Callable[[], bool]]] = {}
        self._changed: set[Hashable] = set()
        self._views: dict[Hashable, LogView] = {}  # open ones; the thread's own
        self._since: float | None = None  # when the service was called that has not returned
        self._over, self._off = threading.Event(), threading.Event()
        self._done = aside(self._work)

    def follow(
        self, key: Hashable, make: Callable[[], LogView], ended: Callable[[], bool]
    ) -> None:
        """Keep a view in step from now on, and close it when ``ended``."""
        with self._lock:
            self._followed[key] = (make, ended)
            self._changed.add(key)

    def changed(self, keys: Iterable[Hashable]) -> None:
        """Take in which views have news."""
        since = self._since
        if since is not None and time.monotonic() - since > STALL_S:
            self._switch_off(f"no answer for {STALL_S:.0f} s")
        elif self._done.done():
            self._tell()
        with self._lock:
            self._changed.update(keys)

    def finish(self) -> None:
        """Begin to take in the rest and close all views."""
        self._over.set()

    def wait(self, seconds: float) -> None:
        """Wait until all is taken in, but no longer than ``seconds``."""
        try:
            self._done.exception(seconds)
            self._tell()
        except NoAnswer:
            self._switch_off("it did not take in the rest in time")

    def _tell(self) -> None:
        """Say how the thread ended, if that was before its time."""
        error = self._done.exception()
        if error is not None:
            logger.debug("%s failed", self.name, exc_info=error)
            self._switch_off(in_a_line(error))

    def _switch_off(self, why: str) -> None:
        with self._lock:
            if self._off.is_set():
                return
            self._off.set()
        self._over.set()
        aside(self._leave)
        logger.warning("%s is switched off: %s; training and records go on", self.name, why)

    # ---- in the thread

    def _work(self) -> None:
        while not self._over.wait(SYNC_EVERY_S):
            self._round()
        self._round()
        for view in self._views.values():
            self._call(view.close)

    def _round(self) -> None:
        with self._lock:
            followed = list(self._followed.items())
            changed, self._changed = self._changed, set()
        for key, (make, ended) in followed:
            if key not in self._views:
                self._views[key] = self._call(make)
            if ended():
                self._call(self._views.pop(key).close)
                with self._lock:
                    del self._followed[key]
            elif key in changed:
                self._call(self._views[key].sync)

    def _call(self, act: Callable[[], T]) -> T:
        if self._off.is_set():
            raise _SwitchedOff
        self._since = time.monotonic()
        try:
            return act()
        finally:
            self._since = None


class LogDispatcher:
    """TensorBoard and the services asked for, each with the runs of one results folder."""

    def __init__(
        self,
        root: Path,
        services: Sequence[str] = (),
        page: Callable[[Path], LogView] = Page,
    ) -> None:
        self.root = root
        self.dispatcher: list[tuple[LoggerThread, LoggerFactory]] = [
            (LoggerThread("TensorBoard"), TensorBoardLogger)
        ]
        for name in services:
            service = find_service(name)
            self.dispatcher.append((LoggerThread(name, service.leave), service.make_logger))
        self._places: dict[CheckpointRef, set[Path]] = {}
        self._known: set[Path] = set()
        self._lock = threading.Lock()  # runs are followed in one thread, heard of in another
        self.dispatcher[0][0].follow(PAGE, partial(page, root / "tensorboard"), _never)

    def follow(self, shown: LoggedRun, ended: Callable[[], bool] | None = None) -> None:
        """Show a run from now on, until ``ended`` or the close; once is enough."""
        with self._lock:
            if shown.folder in self._known:
                return
            self._known.add(shown.folder)
            for job in shown.run.jobs:
                self._places.setdefault(job.snapshot, set()).add(shown.folder)
        for thread, make_logger in self.dispatcher:
            thread.follow(shown.folder, partial(self._view, shown, make_logger), ended or _never)

    def _view(self, shown: LoggedRun, make_logger: LoggerFactory) -> LogView:
        return RunLogger(shown.run, JobStore(self.root), make_logger(shown))

    def take(self, events: Iterable[JobEvent]) -> None:
        """Take in news of jobs."""
        keys: set[Hashable] = {PAGE}
        with self._lock:
            for event in events:
                keys |= self._places.get(event.snapshot, set())
        for thread, _ in self.dispatcher:
            thread.changed(keys)

    def close(self) -> None:
        """Show the rest, in the time that there is."""
        for thread, _ in self.dispatcher:
            thread.finish()
        end = time.monotonic() + CLOSE_S
        for thread, _ in self.dispatcher:
            thread.wait(max(0.0, end - time.monotonic()))


def _never() -> bool:
    return False
