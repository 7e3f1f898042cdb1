"""A limit on how long an evaluation may go without a step: an environment may never answer.

What can be interrupted ends with a ``Failure``. Where nothing can, as in C that never returns, the
process is ended a little later by a thread of C's own (``faulthandler``), which says in a file
where it stood; the job's next process finds that file.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from qipo_ray.errors import Failure

GRACE_S = 4.0  # after the limit, for the evaluation to end by itself
RENEWALS = 10  # within the limit: a step costs next to nothing

Beat = Callable[[], None]


def overdue(limit_s: float) -> Failure:
    """Return what an evaluation that was ended failed by."""
    return Failure(
        f"an evaluation took no step for {limit_s:g} s and was ended: its environment does not "
        "answer, or needs a higher evaluation.timeout"
    )


def was_ended(stuck: Path, limit_s: float) -> Failure | None:
    """Return why a process of this job was ended, if it was; it is told once.

    Where it stood remains in a file beside ``stuck``.
    """
    if not stuck.is_file() or not stuck.stat().st_size:
        return None
    told = stuck.with_suffix(".told")
    os.replace(stuck, told)
    return Failure(f"{overdue(limit_s)}; where it stood is in {told}")


@contextmanager
def watched(limit_s: float, stuck: Path) -> Iterator[Beat]:
    """Yield a function to call at each step; ``Failure`` if none comes within the limit.

    ``stuck`` is the file that says where a process stood that had to be ended.
    """
    with stuck.open("w") as file:
        watch = _Watch(limit_s, file)
        try:
            watch.renew()
            yield watch.beat
        finally:
            watch.end()
    stuck.unlink(missing_ok=True)


class _Watch:
    """The two alarms: a signal, where this thread may have one, and the thread of C."""

    def __init__(self, limit_s: float, file: IO[str]) -> None:
        self.limit_s, self.file, self.set_at = limit_s, file, 0.0
        here = threading.current_thread() is threading.main_thread()
        self.signals = here and signal.getitimer(signal.ITIMER_REAL)[0] == 0  # else it is in use
        if self.signals:
            self.before = signal.signal(signal.SIGALRM, self._ring)

    def beat(self) -> None:
        if time.monotonic() - self.set_at > self.limit_s / RENEWALS:
            self.renew()

    def renew(self) -> None:
        self.set_at = time.monotonic()
        faulthandler.dump_traceback_later(self.limit_s + GRACE_S, file=self.file, exit=True)
        if self.signals:
            signal.setitimer(signal.ITIMER_REAL, self.limit_s)

    def end(self) -> None:
        faulthandler.cancel_dump_traceback_later()
        if self.signals:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self.before)

    def _ring(self, *_: object) -> None:
        raise overdue(self.limit_s)
