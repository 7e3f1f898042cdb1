"""Open an HDF5 file that nobody vouches for, and hold it to what lies in it.

HDF5 can name other files, declare any size, and unpack to any size. Here a file is hashed, and
looked through and read in a process of its own (``inspector``), but for a published file.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from qipo_ray.data.contents import contents
from qipo_ray.data.faults import Damaged, Unusable, described, quoted
from qipo_ray.data.inspector import inspected
from qipo_ray.data.stored_array import StoredArray, check_amount
from qipo_ray.data.tasks import Task
from qipo_ray.errors import UserError

_SIGNATURE = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True)
class DataFile:
    """An open file that was looked through.

    ``names`` are the first of its members, ``source`` its attribute of that name, ``arrays`` those
    with a name of D4RL's layout, or of Minari's those of all episodes, ``ends`` the names of
    others that look like ends of episodes, ``sha256`` empty without a task.
    """

    names: tuple[str, ...]
    source: str | None
    arrays: dict[str, StoredArray]
    ends: tuple[str, ...]
    sha256: str


@contextmanager
def opened(path: Path, task: Task | None) -> Iterator[DataFile]:
    """Yield the file; whatever is wrong with it, here or in the block, is one ``UserError``.

    The line holds the file, the task that the data are for, if there is one, and the cause.
    """
    try:
        descriptor = _open(path)
        try:
            before = os.fstat(descriptor)
            digest = sha256_of(descriptor) if task else ""  # an import is hashed itself
            published = task is not None and digest == task.sha256
            reading = contents(path, published=True) if published else inspected(path)
            with reading as (facts, blocks):
                arrays = {
                    name: StoredArray.from_facts(name, entry, blocks)
                    for name, entry in facts["arrays"].items()
                }
                check_amount(list(arrays.values()), before.st_size)
                yield DataFile(
                    tuple(facts["names"]), facts["source"], arrays, tuple(facts["ends"]), digest
                )
            if not path.exists() or identity(path.stat()) != identity(before):
                raise Unusable("changed while it was read; try again")
        except Damaged as error:
            raise Unusable(_damage(path, before.st_size, task, str(error))) from error
        finally:
            os.close(descriptor)
    except Unusable as error:
        label = f"data file {path}" + (f" for task {task.id}" if task else "")
        raise UserError(" ".join(f"{label} {error}".split())) from None


def _open(path: Path) -> int:
    """Return a descriptor of what begins like an HDF5 file."""
    if not path.is_file():
        raise Unusable("is not a plain file" if path.exists() else "does not exist")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise Unusable(f"cannot be read: {error.strerror}") from error
    head, size = os.pread(descriptor, 512, 0), os.fstat(descriptor).st_size
    starts = [0, *(512 << n for n in range(size.bit_length()))]  # a user block may come first
    if any(os.pread(descriptor, len(_SIGNATURE), start) == _SIGNATURE for start in starts):
        return descriptor
    os.close(descriptor)
    raise Unusable(described(head, path))


def identity(facts: os.stat_result) -> tuple[int, ...]:
    """Return what changes when a file is written to or replaced."""
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns


def _damage(path: Path, size: int, task: Task | None, message: str) -> str:
    cut = re.search(r"truncated file: eof = (\d+).*stored_eof = (\d+)", message, re.DOTALL)
    if cut:
        return f"is cut short: {int(cut[1]):,} of {int(cut[2]):,} bytes; get it again"
    if task and path.name == task.filename and task.bytes is not None and size < task.bytes:
        return f"is cut short: {size:,} of the published {task.bytes:,} bytes; get it again"
    return f"is damaged, get it again ({quoted(message)})"


def sha256_of(descriptor: int) -> str:
    """Return the hash of an open file."""
    digest, offset = hashlib.sha256(), 0
    while block := os.pread(descriptor, 2**20, offset):
        digest.update(block)
        offset += len(block)
    return digest.hexdigest()
