"""SIGINT and SIGTERM: the first ends a command in order, the second at once and in silence."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn


@contextmanager
def stoppable() -> Iterator[list[int]]:
    """Let either signal raise ``KeyboardInterrupt`` in the block; yield where its number is kept.

    What is on disk is all that the same command needs to go on, so nothing has to be waited for.
    After a stop the signals stay ours: Python's own handlers end a process with a traceback.
    """
    stops: list[int] = []

    def stop(number: int, frame: object) -> None:
        if stops:
            os._exit(exit_code(stops))
        stops.append(number)
        raise KeyboardInterrupt

    before = {}
    if threading.current_thread() is threading.main_thread():  # which alone may set handlers
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as a shell's background job
                before[number] = signal.signal(number, stop)
    try:
        yield stops
    finally:
        if not stops:
            for number, handler in before.items():
                signal.signal(number, handler)


def leave(stops: list[int], go_on: str) -> NoReturn:
    """End the process that was stopped, after a line that says so.

    All is on disk, and what the process started ends with it: Python and Ray would tidy up for
    seconds.
    """
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.write(f"\nStopped{go_on}\n")
        sys.stderr.flush()
    os._exit(exit_code(stops))


def exit_code(stops: list[int]) -> int:
    """Return the exit code that says which signal it was, as shells do."""
    return 128 + stops[0]
