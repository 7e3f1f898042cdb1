"""Read HDF5 files in a process that a hostile file may take down.

A process serves one file at a time. It has a limit on its memory, and on the time that the
processor may spend on one answer. It ends with the process that started it.
"""

from __future__ import annotations

import atexit
import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path

from qipo_ray.data.contents import Blocks, Facts, contents
from qipo_ray.data.faults import Damaged, TookTooLong, Unusable
from qipo_ray.data.stored_chunks import LARGEST_BLOCK

# CPU time for the facts or a block, and for each megabyte of the file. The slowest sound files are
# those of short episodes: 0.2 s a megabyte.
LIMIT_S, PER_MB_S = 30.0, 1.0
PATIENCE_S = 3600.0  # by the clock, where the process waits for a disc
# Bytes: Python, numpy and h5py take 60 MB, a packed chunk of the largest size five times its size.
MEMORY = 256 * 2**20
IDLE_S = 10.0  # then a process without a file ends
PAUSE_S = 600.0  # between two arrays of a file

_LEAVE = b""  # the question after which a file is closed
_START = "import sys; from qipo_ray.data.inspector import serve; serve(int(sys.argv[1]))"

_idle: dict[int, list[Inspector]] = {}  # by process: a fork needs its own


class _Died(Damaged):
    """The process ended before it answered."""


@contextmanager
def inspected(path: Path) -> Iterator[tuple[Facts, Blocks]]:
    """Yield what ``contents`` yields, read by another process; a fault there is ``Damaged``."""
    idle = _idle.setdefault(os.getpid(), [])
    try:
        inspector = idle.pop()
    except IndexError:
        inspector = Inspector()
    try:
        try:
            inspector.open(path)
        except _Died:  # perhaps it was idle, and left at this very moment
            inspector = Inspector()
            inspector.open(path)
        yield inspector.facts or {}, lambda name: inspector.ask(name.encode())
    finally:
        if inspector.facts is not None:
            with suppress(Damaged):
                inspector.say(_LEAVE)
        if inspector.facts is not None:
            idle.append(inspector)
        else:
            inspector.close()


def limit_s(path: Path) -> float:
    """Return the CPU time that a file may take until its facts, or a block, are there."""
    size = path.stat().st_size if path.exists() else 0
    return LIMIT_S + PER_MB_S * size / 1e6


class Inspector:
    """A process that reads files, and the connection to it.

    ``facts`` are those that its last answer ended with, None in the middle of one.
    """

    def __init__(self) -> None:
        self.facts: Facts | None = {}
        self._limit_s = LIMIT_S
        self._link, link = multiprocessing.Pipe()
        path = os.pathsep.join(filter(None, sys.path))
        with link:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START, str(link.fileno())],
                pass_fds=[link.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": path},
            )

    def open(self, path: Path) -> None:
        """Have a file looked through: ``facts`` are its own then."""
        self._limit_s = limit_s(path)
        self.say(json.dumps([str(path.resolve()), self._limit_s]).encode())

    def ask(self, question: bytes) -> Iterator[bytes]:
        """Yield the blocks of an answer: to the name of an array its own, to all else none."""
        self.facts = None
        try:
            self._link.send_bytes(question)
            while block := self._receive():
                yield block
            self.facts = facts = json.loads(self._receive())
        except (EOFError, OSError) as error:
            self.close()
            if self._process.returncode == -signal.SIGPROF:
                raise TookTooLong(
                    f"took too long: {self._limit_s:,.0f} s of CPU time were not enough to read it"
                ) from error
            raise _Died("HDF5's library died on it") from error
        for kind in (Unusable, Damaged):
            if kind.__name__ in facts:
                raise kind(facts[kind.__name__])

    def say(self, question: bytes) -> None:
        """Wait for an answer without blocks."""
        for _ in self.ask(question):
            pass

    def close(self) -> None:
        """End the process."""
        self._link.close()
        self._process.kill()
        self._process.wait()

    def _receive(self) -> bytes:
        if not self._link.poll(PATIENCE_S):
            raise TookTooLong(f"took too long: nothing of it came in {PATIENCE_S:,.0f} s")
        return self._link.recv_bytes(LARGEST_BLOCK)


def serve(descriptor: int) -> None:
    """Read one file after the other for the process at the other end of a connection."""
    with suppress(ValueError, OSError):  # not every system has the limit
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    link = Connection(descriptor)
    with suppress(EOFError, OSError):  # nobody is there any more
        while link.poll(IDLE_S):
            question = link.recv_bytes()
            try:
                if question != _LEAVE:
                    _serve(link, *json.loads(question))
                _answer(link, {})
            except Unusable as error:
                _answer(link, {type(error).__name__: str(error)})


def _serve(link: Connection, path: str, most_s: float) -> None:
    signal.setitimer(signal.ITIMER_PROF, most_s)
    with contents(Path(path)) as (facts, blocks):
        _answer(link, facts)
        while link.poll(PAUSE_S) and (question := link.recv_bytes()) != _LEAVE:
            for block in blocks(question.decode()):
                link.send_bytes(block)
                signal.setitimer(signal.ITIMER_PROF, most_s)
            _answer(link, {})


def _answer(link: Connection, facts: Facts) -> None:
    link.send_bytes(b"")  # the end of the blocks
    link.send_bytes(json.dumps(facts).encode())


@atexit.register
def close_idle() -> None:
    """End the processes that serve no file."""
    for inspector in _idle.pop(os.getpid(), []):
        inspector.close()
