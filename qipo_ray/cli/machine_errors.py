"""Errors of the machine, such as a full disk, as one line: which path, and what to do."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

REMEDIES = {
    errno.ENOSPC: "make space",
    errno.EDQUOT: "make space, or get a larger quota",
    errno.EFBIG: "allow larger files (ulimit -f)",
    errno.EMFILE: "allow more open files (ulimit -n)",
    errno.ENFILE: "close other programs, or allow more open files",
    errno.EACCES: "give this user the right to it",
    errno.EPERM: "give this user the right to it",
    errno.EROFS: "make that disk writable, or choose another",
    errno.EISDIR: "a file belongs there: move the folder away",
    errno.ENOTDIR: "a folder belongs there: move the file away",
    errno.ELOOP: "a file belongs there: remove the link",
    errno.EEXIST: "something else belongs there: move it away",
    errno.EIO: "check that disk",
    errno.ESTALE: "check that the shared disk is there",
}
BY_HDF5 = re.compile(r"errno = (?P<number>\d+)")  # h5py tells the number in its text alone


def in_words(error: OSError) -> str | None:
    """Return the line for an error that the machine is to blame for, None for any other."""
    told = BY_HDF5.search(str(error))
    number = int(told["number"]) if told else error.errno
    if number not in REMEDIES:
        return None
    name = error.filename2 or error.filename or "standard output or a file"
    path = os.fsdecode(name) if isinstance(name, str | bytes) else str(name)
    if number == errno.ENOTDIR:  # name the file that lies on the way
        path = next((str(p) for p in reversed(Path(path).parents) if p.is_file()), path)
    return f"{path}: {os.strerror(number)}: {REMEDIES[number]}, then give the same command again"
