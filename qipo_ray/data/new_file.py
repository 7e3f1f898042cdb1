"""A new file, of HDF5 or otherwise, that has its name only once it is whole."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from qipo_ray.data.download import flush


@contextmanager
def new_file(
    path: Path, check: Callable[[Path], None] = lambda whole: None
) -> Iterator[h5py.File]:
    """Yield an HDF5 file to write to, which becomes ``path`` as with ``renamed``."""
    with renamed(path, check) as temporary, h5py.File(temporary, "x") as file:
        yield file


@contextmanager
def renamed(path: Path, check: Callable[[Path], None] = lambda whole: None) -> Iterator[Path]:
    """Yield a name to write under; the file becomes ``path`` in one step, durably.

    An older file is replaced, and a fault leaves nothing. ``check`` is given the whole file before
    that, under the other name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        check(temporary)
        flush(temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    flush(path.parent)
