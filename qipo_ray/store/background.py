"""Work beside the driver's own: what it waits for, and what it never waits for."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

SIGNAL = signal.SIGUSR1  # not SIGINT, which a shell makes its background processes ignore


class _WorkFailed(BaseException):
    """Interrupts the main thread; what failed is raised in its place."""


@contextmanager
def background(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run ``work(over)`` in a thread beside the block, until ``over`` is set at its end.

    If the work raises, the block is interrupted and the work's exception is raised from here. The
    block runs in the main thread, which alone can be interrupted.
    """
    over = threading.Event()
    main = threading.get_ident()

    def ended(future: Future[None]) -> None:
        if future.exception() is not None and not over.is_set():
            signal.pthread_kill(main, SIGNAL)

    def interrupt(number: int, frame: object) -> None:
        raise _WorkFailed

    before = signal.signal(SIGNAL, interrupt)
    future: Future[None] = Future()
    try:
        with ThreadPoolExecutor(1) as pool:
            try:
                future = pool.submit(work, over)
                future.add_done_callback(ended)
                yield
            except _WorkFailed:
                if future.done():
                    future.result()
                raise  # another block's work failed
            finally:
                over.set()
    finally:
        signal.signal(SIGNAL, before)


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
