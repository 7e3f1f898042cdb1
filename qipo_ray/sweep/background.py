"""Work beside the driver's own, whose failure the driver hears of at once."""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def background(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run ``work(over)`` in a thread beside the block, until ``over`` is set at its end.

    If the work raises, the block is interrupted and the work's exception is raised from here. Only
    the main thread can be interrupted.
    """
    over = threading.Event()

    def ended(future: Future[None]) -> None:
        if future.exception() is not None:
            _thread.interrupt_main()

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work, over)
        future.add_done_callback(ended)
        try:
            yield
        except KeyboardInterrupt:
            if future.done():
                future.result()
            raise
        finally:
            over.set()
