"""The dispatcher passes runs' numbers from the store to loggers, and nothing waits for it.

A service that fails or stalls is switched off with one line in the log. Threads keep no queue,
only the set of runs that changed: the numbers are in the store.
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
from qipo_ray.store.bucket import is_object
from qipo_ray.store.mirror import Upload
from qipo_ray.study.job import CheckpointRef
from qipo_ray.study.job_events import JobEvent
from qipo_ray.tracking.loggers import LoggedRun, LoggerFactory, find_service, one_line
from qipo_ray.tracking.run_logger import RunLogger
from qipo_ray.tracking.tensorboard_logger import Page, TensorBoardLogger
from qipo_ray.train.job_store import JobStore

logger = logging.getLogger(__name__)

SYNC_EVERY_S = 3.0
STALL_S = 120.0  # in one call of a service, which may wait for a network
CLOSE_S = 60.0  # for all services together to log the rest
PAGE, UPLOAD = "page", "upload"

T = TypeVar("T")


class LogView(Protocol):
    """Logs a part of the store; ``close`` begins with a last ``sync``."""

    def sync(self) -> None:
        """Log the new numbers."""

    def close(self) -> None:
        """Log the new numbers and end."""


class _SwitchedOff(Exception):
    """Ends the thread of a service that is switched off."""


class LoggerThread:
    """Runs the views of one service in a thread of its own.

    ``shutdown`` is called when the service is switched off; the process does not wait for it.
    """

    def __init__(self, name: str, shutdown: Callable[[], None] = lambda: None) -> None:
        self.name, self._shutdown = name, shutdown
        self._lock = threading.Lock()
        self._followed: dict[Hashable, tuple[Callable[[], LogView], Callable[[], bool]]] = {}
        self._changed: set[Hashable] = set()
        self._views: dict[Hashable, LogView] = {}  # open ones; only the thread uses them
        self._call_start: float | None = None  # of the call of the service that runs
        self._finishing, self._off = threading.Event(), threading.Event()
        self._done = aside(self._work)

    def follow(
        self, key: Hashable, make: Callable[[], LogView], ended: Callable[[], bool]
    ) -> None:
        """Sync a view from now on, and close it when ``ended``."""
        with self._lock:
            self._followed[key] = (make, ended)
            self._changed.add(key)

    def notify(self, keys: Iterable[Hashable]) -> None:
        """Mark the views that have new numbers."""
        start = self._call_start
        if start is not None and time.monotonic() - start > STALL_S:
            self._switch_off(f"no answer for {STALL_S:.0f} s")
        elif self._done.done():
            self._report_failure()
        with self._lock:
            self._changed.update(keys)

    def finish(self) -> None:
        """Begin to log the rest and close all views."""
        self._finishing.set()

    def wait(self, seconds: float) -> None:
        """Wait until all is logged, but no longer than ``seconds``."""
        try:
            self._done.exception(seconds)
            self._report_failure()
        except NoAnswer:
            self._switch_off("it did not take in the rest in time")

    def _report_failure(self) -> None:
        """Switch the service off if an error ended its thread."""
        error = self._done.exception()
        if error is not None:
            logger.debug("%s failed", self.name, exc_info=error)
            self._switch_off(one_line(error))

    def _switch_off(self, reason: str) -> None:
        with self._lock:
            if self._off.is_set():
                return
            self._off.set()
        self._finishing.set()
        aside(self._shutdown)
        logger.warning("%s is switched off: %s; training and records go on", self.name, reason)

    # ---- in the thread

    def _work(self) -> None:
        while not self._finishing.wait(SYNC_EVERY_S):
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
        self._call_start = time.monotonic()
        try:
            return act()
        finally:
            self._call_start = None


class LogDispatcher:
    """TensorBoard and other services, each with the runs of one results folder."""

    def __init__(
        self, root: Path, services: Sequence[str] = (), page: Callable[[Path], LogView] = Page
    ) -> None:
        self.root = root
        self.threads: list[tuple[LoggerThread, LoggerFactory]] = [
            (LoggerThread("TensorBoard"), TensorBoardLogger)
        ]
        for name in services:
            service = find_service(name)
            self.threads.append((LoggerThread(name, service.shutdown), service.make_logger))
        self._folders: dict[CheckpointRef, set[Path]] = {}
        self._followed: set[Path] = set()
        self._lock = threading.Lock()  # runs are followed in one thread, events come in another
        self.threads[0][0].follow(PAGE, partial(page, root / "tensorboard"), _never)
        self._upload: Upload | None = None
        if is_object(root):
            self._upload = upload = Upload(root / "tensorboard")
            self.threads[0][0].follow(UPLOAD, lambda: upload, _never)

    def follow(self, logged_run: LoggedRun, ended: Callable[[], bool] | None = None) -> None:
        """Log a run from now on, until ``ended`` or the close; later calls change nothing."""
        with self._lock:
            if logged_run.folder in self._followed:
                return
            self._followed.add(logged_run.folder)
            for job in logged_run.run.jobs:
                self._folders.setdefault(job.snapshot, set()).add(logged_run.folder)
        for thread, make_logger in self.threads:
            view = partial(self._view, logged_run, make_logger)
            thread.follow(logged_run.folder, view, ended or _never)

    def _view(self, logged_run: LoggedRun, make_logger: LoggerFactory) -> LogView:
        return RunLogger(logged_run.run, JobStore(self.root), make_logger(logged_run))

    def dispatch(self, events: Iterable[JobEvent]) -> None:
        """Pass events of jobs to every thread."""
        keys: set[Hashable] = {PAGE, UPLOAD}
        with self._lock:
            for event in events:
                keys |= self._folders.get(event.snapshot, set())
        for thread, _ in self.threads:
            thread.notify(keys)

    def close(self) -> None:
        """Log the rest, for at most ``CLOSE_S`` seconds."""
        for thread, _ in self.threads:
            thread.finish()
        end = time.monotonic() + CLOSE_S
        for thread, _ in self.threads:
            thread.wait(max(0.0, end - time.monotonic()))
        if self._upload is not None:
            self._upload.close()


def _never() -> bool:
    return False
