"""Open an HDF5 file that nobody vouches for, and hold it to what lies in it.

HDF5 can name other files, declare any size, and unpack to any size. Here a file is hashed, looked
through in a process of its own (``inspector``), and only then read, by ``columns``.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from qipo_ray.data.columns import Column, check_amount
from qipo_ray.data.inspector import inspector
from qipo_ray.data.layout import Unusable, shown
from qipo_ray.data.tasks import Task
from qipo_ray.errors import UserError

_SIGNATURE = b"\x89HDF\r\n\x1a\n"

_FOREIGN = (
    (b"version https://git-lfs", "is a git-lfs pointer, not the data; run `git lfs pull`"),
    (b"<", "is a web page (an error page that was downloaded?), not an HDF5 file"),
    (b"\x80", "is a Python pickle, which is never opened; wanted is an HDF5 file"),
    (b"\x1f\x8b", "is gzip-compressed; unpack it first"),
    (b"pk\x03\x04", "is a zip archive; unpack it first"),
)


@dataclass(frozen=True)
class Opened:
    """A file that was looked through.

    ``names`` are the first of its members, ``source`` its attribute of that name, ``columns`` the
    data sets with a known name, by their path in the file.
    """

    names: tuple[str, ...]
    source: str | None
    columns: dict[str, Column]
    sha256: str


@contextmanager
def opened(path: Path, task: Task) -> Iterator[Opened]:
    """Yield the file; whatever is wrong with it, here or in the block, is one ``UserError``.

    The line holds the file, the task that the data are for, and the cause.
    """
    try:
        descriptor = _open(path)
        try:
            before = _identity(os.fstat(descriptor))
            yield _look(path, task, descriptor)
            if not path.exists() or _identity(path.stat()) != before:
                raise Unusable("changed while it was read; try again")
        finally:
            os.close(descriptor)
    except Unusable as error:
        raise UserError(" ".join(f"data file {path} for task {task.id} {error}".split())) from None


def _open(path: Path) -> int:
    """Return a descriptor of what begins like an HDF5 file."""
    if not path.is_file():
        raise Unusable("is not a plain file" if path.exists() else "does not exist")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise Unusable(f"cannot be read: {error.strerror}") from error
    head = os.pread(descriptor, 64, 0)
    if head.startswith(_SIGNATURE):
        return descriptor
    os.close(descriptor)
    if not head:
        raise Unusable("is empty (0 bytes)")
    for start, reason in _FOREIGN:
        if head.lstrip().lower().startswith(start):
            raise Unusable(reason)
    raise Unusable("is not an HDF5 file")


def _look(path: Path, task: Task, descriptor: int) -> Opened:
    digest, size = _sha256(descriptor), os.fstat(descriptor).st_size
    said = inspector.ask(path)
    if "unusable" in said:
        raise Unusable(said["unusable"])
    if "damage" in said:
        raise Unusable(_damage(path, size, task, said["damage"]))
    columns = {key: Column.of(key, descriptor, facts) for key, facts in said["columns"].items()}
    check_amount(list(columns.values()), size)
    return Opened(tuple(said["names"]), said["source"], columns, digest)


def _identity(facts: os.stat_result) -> tuple[int, ...]:
    """Return what changes when a file is written to or replaced."""
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns


def _damage(path: Path, size: int, task: Task, words: str) -> str:
    cut = re.search(r"truncated file: eof = (\d+).*stored_eof = (\d+)", words, re.DOTALL)
    if cut:
        return f"is cut short: {int(cut[1]):,} of {int(cut[2]):,} bytes; get it again"
    published = path.name == task.filename
    if published and task.bytes is not None and size < task.bytes:
        return f"is cut short: {size:,} of the published {task.bytes:,} bytes; get it again"
    return f"is damaged, get it again ({shown(words)})"


def _sha256(descriptor: int) -> str:
    digest, offset = hashlib.sha256(), 0
    while block := os.pread(descriptor, 2**20, offset):
        digest.update(block)
        offset += len(block)
    return digest.hexdigest()
