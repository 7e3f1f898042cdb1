"""Work beside the driver's own: what it waits for, and what it never waits for."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

# No library's: Ray Tune takes SIGUSR1 for "stop", and shells make background processes ignore
# SIGINT.
SIGNAL = signal.SIGRTMIN + 7
AGAIN_S = 30.0  # until a block that has not ended is interrupted again
LEAVE_S = 10.0  # for the work to end with the block; work that hangs is left behind
HURRY_S = 0.5  # the same where the block was broken off


@contextmanager
def background(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run ``work(over)`` in a thread beside the block, until ``over`` is set at its end.

    If the work raises, the block is interrupted, and whatever becomes of the block then, the
    work's exception is raised from here. The block runs in the main thread, which alone can be
    interrupted. Some code drops an exception that comes at a bad moment, so it comes again.
    """
    over = threading.Event()
    main = threading.get_ident()
    failures: list[BaseException] = []

    def watched() -> None:
        try:
            work(over)
        except BaseException as failure:
            if not over.is_set():
                failures.append(failure)
            while not over.is_set():
                signal.pthread_kill(main, SIGNAL)
                over.wait(AGAIN_S)

    before = signal.signal(SIGNAL, _interrupt)
    thread = threading.Thread(target=watched, daemon=True)
    try:
        thread.start()
        yield
        over.set()
        thread.join(LEAVE_S)
    finally:
        try:
            over.set()
            thread.join(HURRY_S)
        finally:  # the interrupt may come as late as here
            over.set()
            signal.signal(SIGNAL, before)
            if failures:
                raise failures[0]


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt  # the one exception that Ray passes on while it waits


def aside(act: Callable[[], T]) -> Future[T]:
    """Return what ``act`` will come to, in a thread that no end of the process waits for.

    Other people's code runs here: whatever it raises is the future's, and never ends a thread
    with a traceback.
    """
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(act())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return future
