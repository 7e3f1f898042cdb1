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

from qipo_ray.data.contents import LARGEST_BLOCK, Blocks, Damaged, Facts, Unusable, contents

LIMIT_S = 30.0  # for the facts or a block; the largest file of the field takes less than 2 s
CPU_S = 2 * LIMIT_S  # the same in the process itself, should nobody be left to end it
MEMORY = 192 * 2**20  # bytes, of which Python, numpy and h5py take 60 MB
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
            inspector.say(os.fsencode(path.resolve()))
        except _Died:  # perhaps it was idle, and left at this very moment
            inspector.close()
            inspector = Inspector()
            inspector.say(os.fsencode(path.resolve()))
        yield inspector.facts or {}, lambda name: inspector.ask(name.encode())
    finally:
        if inspector.facts is not None:
            with suppress(Damaged):
                inspector.say(_LEAVE)
        if inspector.facts is not None:
            idle.append(inspector)
        else:
            inspector.close()


class Inspector:
    """A process that reads files, and the connection to it.

    ``facts`` are those that its last answer ended with, None in the middle of one.
    """

    def __init__(self) -> None:
        self.facts: Facts | None = {}
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

    def ask(self, question: bytes) -> Iterator[bytes]:
        """Yield the blocks of an answer: to a path none, to the name of an array its own."""
        self.facts = None
        try:
            self._link.send_bytes(question)
            while block := self._receive():
                yield block
            self.facts = facts = json.loads(self._receive())
        except (EOFError, OSError) as error:
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
        if not self._link.poll(LIMIT_S):
            raise Damaged(f"HDF5's library did not come to an end in {LIMIT_S:.0f} s")
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
                    _serve(link, Path(os.fsdecode(question)))
                _answer(link, {})
            except Unusable as error:
                _answer(link, {type(error).__name__: str(error)})


def _serve(link: Connection, path: Path) -> None:
    signal.setitimer(signal.ITIMER_PROF, CPU_S)
    with contents(path) as (facts, blocks):
        _answer(link, facts)
        while link.poll(PAUSE_S) and (question := link.recv_bytes()) != _LEAVE:
            for block in blocks(question.decode()):
                link.send_bytes(block)
                signal.setitimer(signal.ITIMER_PROF, CPU_S)
            _answer(link, {})


def _answer(link: Connection, facts: Facts) -> None:
    link.send_bytes(b"")  # the end of the blocks
    link.send_bytes(json.dumps(facts).encode())


@atexit.register
def close_idle() -> None:
    """End the processes that serve no file."""
    for inspector in _idle.pop(os.getpid(), []):
        inspector.close()
