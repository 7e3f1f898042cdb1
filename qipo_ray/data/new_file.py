"""A new HDF5 file that has its name only once it is whole."""

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
    """Yield a file to write to, which becomes ``path`` in one step, durably; a fault removes it.

    An older file is replaced. ``check`` is given the whole file before that, under another name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        with h5py.File(temporary, "x") as file:
            yield file
        check(temporary)
        flush(temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    flush(path.parent)
