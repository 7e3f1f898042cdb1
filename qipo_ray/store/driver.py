"""One driver per results folder: whoever holds its lease trains there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qipo_ray.store.background import background
from qipo_ray.store.lease import Lease

BEAT_EVERY_S = 10.0


@contextmanager
def driving(root: Path) -> Iterator[Lease]:
    """Hold the lease of ``root`` for the length of the block.

    ``LeaseHeld`` at once, naming the holder, if another process has it; ``LeaseLost`` interrupts
    the block if another has taken it over.
    """
    lease = Lease.take(root)

    def beat(over: threading.Event) -> None:
        while not over.wait(BEAT_EVERY_S):
            lease.beat()

    try:
        with background(beat):
            yield lease
    finally:
        lease.release()
