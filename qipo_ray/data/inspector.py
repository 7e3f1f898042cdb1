"""Ask where the numbers of an HDF5 file lie, in a process that a hostile file may take down."""

from __future__ import annotations

import atexit
import json
import os
import selectors
import subprocess
import sys
import threading
import time
from pathlib import Path

from qipo_ray.data.layout import Answer

LIMIT_S = 30.0  # for one file; the largest of the field takes less than 2 s
_LONGEST = 32 * 2**20  # bytes of an answer

_START = """
import sys
sys.path[:] = sys.argv[1:]
from qipo_ray.data.layout import serve
serve()
"""


class _Lost(Exception):
    """There is no answer; says why."""


class _Died(_Lost):
    """The process ended before it answered."""


class Inspector:
    """One process that answers for files, started when first asked; it ends when it is idle."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0  # a fork of this process needs one of its own
        self._lock = threading.Lock()

    def ask(self, path: Path) -> Answer:
        """Return the answer of ``layout.answer``, or ``{"damage": ...}`` where there is none."""
        line = json.dumps(str(path.resolve())).encode() + b"\n"
        with self._lock:
            try:
                try:
                    return self._ask(line)
                except _Died:  # perhaps it was idle, and left at this very moment
                    self.close()
                    return self._ask(line)
            except _Lost as error:
                self.close()
                return {"damage": str(error)}

    def close(self) -> None:
        """End the process, if it is this one's."""
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        process.kill()
        process.communicate()

    def _ask(self, line: bytes) -> Answer:
        process = self._running()
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(line)
            process.stdin.flush()
        except OSError as error:
            raise _Died("HDF5's library died on it") from error
        answer: Answer = json.loads(_line(process.stdout.fileno()))
        return answer

    def _running(self) -> subprocess.Popen[bytes]:
        ours = self._owner == os.getpid()
        if self._process is None or not ours or self._process.poll() is not None:
            self.close()
            self._owner = os.getpid()
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START, *(place for place in sys.path if place)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
            )
        return self._process


def _line(descriptor: int) -> bytes:
    """Return the next line of the process."""
    end, parts, size = time.monotonic() + LIMIT_S, [], 0
    with selectors.DefaultSelector() as ready:
        ready.register(descriptor, selectors.EVENT_READ)
        while True:
            if not ready.select(max(0.0, end - time.monotonic())):
                raise _Lost(f"HDF5's library did not come to an end in {LIMIT_S:.0f} s")
            part = os.read(descriptor, 2**20)
            parts.append(part)
            size += len(part)
            if not part:
                raise _Died("HDF5's library died on it")
            if part.endswith(b"\n"):
                return b"".join(parts)
            if size > _LONGEST:
                raise _Lost("its parts are too many to list")


inspector = Inspector()
atexit.register(inspector.close)
