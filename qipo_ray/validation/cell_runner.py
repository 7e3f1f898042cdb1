"""Runs cells: pieces of an experiment that depend on nothing but their own fields.

A finished cell is a sealed file under the hash of its fields, so the same command again goes on
with what is missing.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch

from qipo_ray.errors import Failure
from qipo_ray.store.files import remove_stale, sealed, set_aside, unsealed, write_bytes
from qipo_ray.version import __version__

Result = dict[str, Any]  # plain JSON
# glibc keeps what is freed: returning and faulting in each update's tensors costs a quarter.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1)}
SCHEMA = 1  # raise it when a cell of equal fields gives another result


@dataclass(frozen=True)
class Cell(ABC):
    """A piece of an experiment; a result depends on its fields and on the version alone."""

    kind: ClassVar[str]  # in the file's name: it stays when the class is renamed

    @abstractmethod
    def run(self) -> Result:
        """Return the result: finite numbers and text."""

    @property
    @abstractmethod
    def title(self) -> str:
        """A few words for the progress line."""

    @property
    def file(self) -> str:
        """The name of the cell's file: the hash of its kind, its fields and the version."""
        version = [SCHEMA, __version__, str(torch.__version__)]
        identity = json.dumps([*version, self.kind, asdict(self)], sort_keys=True)
        return f"{hashlib.sha256(identity.encode()).hexdigest()[:16]}.json"


def run_cells(
    cells: Sequence[Cell],
    folder: Path,
    jobs: int,
    progress: Callable[[int, int, str], None],
) -> list[Result]:
    """Return the results of all cells in their order, with ``jobs`` processes for missing ones.

    Each process computes on one thread, so a result does not depend on ``jobs``. ``progress``
    gets how many cells this call has computed, of how many, and the title of the last.
    """
    remove_stale(folder)
    results: dict[Cell, Result | None] = {cell: _read(folder / cell.file) for cell in cells}
    missing = [cell for cell, result in results.items() if result is None]
    progress(0, len(missing), "")
    older_children = set(multiprocessing.active_children())
    if missing:
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(min(jobs, len(missing)), context, _start_worker)
        try:
            with _worker_environment():
                waiting = {pool.submit(cell.run): cell for cell in missing}
            for done, future in enumerate(as_completed(waiting), start=1):
                cell = waiting[future]
                results[cell] = _keep(cell, future, folder)
                progress(done, len(missing), cell.title)
        except BaseException:
            for process in set(multiprocessing.active_children()) - older_children:
                process.kill()  # a cell takes seconds to minutes: do not wait for it
            raise
        finally:
            pool.shutdown(cancel_futures=True)
    return [result for cell in cells if (result := results[cell]) is not None]


def _keep(cell: Cell, future: Future[Result], folder: Path) -> Result:
    """Return a computed result once it is on the disk."""
    try:
        result = future.result()
        content = sealed({"title": cell.title, **result})
    except BrokenProcessPool:
        raise Failure("a process was killed, perhaps for memory; try fewer --jobs") from None
    except (ValueError, ArithmeticError) as problem:
        raise Failure(f"{cell.title}: {problem}") from problem
    write_bytes(folder / cell.file, content)
    return result


@contextmanager
def _worker_environment() -> Iterator[None]:
    """Let processes that start meanwhile keep freed memory, and leave Ctrl-C to this one."""
    before = {name: os.environ.get(name) for name in KEEP_MEMORY}
    os.environ.update(KEEP_MEMORY)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _read(path: Path) -> Result | None:
    """Return a finished cell's result; None if there is none, or a damaged one, now set aside."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        result = unsealed(raw)
    except ValueError as problem:
        set_aside(path, raw, str(problem))
        return None
    del result["title"]
    return result


def _start_worker() -> None:
    """End with the parent, however it goes, and compute on one thread."""
    torch.set_num_threads(1)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: multiprocessing.process.BaseProcess) -> None:
    """Leave when the parent is gone, however it went."""
    parent.join()
    os._exit(1)
