"""Arrays that lie once on a machine, however many processes read them.

The first process that asks makes them and writes them into the data cache; every process maps the
files. A mapping is private: pages are shared until somebody writes to them, and what is written
stays with the process that wrote it. (Ray's object store has no such protection: torch writes
through its read-only arrays into every worker's.)
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from qipo_ray.data.locate import data_cache

logger = logging.getLogger(__name__)

KEEP_S = 7 * 24 * 3600.0  # since the last use; then the next process that writes removes them

Arrays = Mapping[str, npt.NDArray]


def mapped(key: str, make: Callable[[], Arrays]) -> Arrays:
    """Return the arrays of a key, mapped; ``make`` is called where this machine has none.

    ``key`` must name all that the arrays depend on, the code that makes them included. Where the
    cache cannot be written to, a warning says so and the arrays are this process's own.
    """
    folder = data_cache() / "mapped"
    place = folder / key
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder / f"{key}.lock"):
            if not place.exists():
                _remove_old(folder)
                arrays = make()
                _write(place, arrays)
                del arrays
    except OSError as error:
        logger.warning(
            "%s cannot be written (%s): each process holds its own copy of the data", place, error
        )
        return make()
    with suppress(OSError):
        os.utime(place)
    return {path.stem: np.load(path, mmap_mode="c") for path in place.glob("*.npy")}


def _write(place: Path, arrays: Arrays) -> None:
    """Put the arrays in their place, all or none."""
    half = place.with_suffix(".half")
    shutil.rmtree(half, ignore_errors=True)  # of a process that died
    half.mkdir()
    try:
        for name, array in arrays.items():
            with (half / f"{name}.npy").open("wb") as file:
                np.save(file, array, allow_pickle=False)
                file.flush()
                os.fsync(file.fileno())
        os.rename(half, place)
    except OSError:
        shutil.rmtree(half, ignore_errors=True)
        raise


def _remove_old(folder: Path) -> None:
    """Remove what nobody has used for long; a process that still maps it keeps its pages."""
    for place in folder.iterdir():
        if time.time() - place.stat().st_mtime > KEEP_S:
            if place.is_dir():
                shutil.rmtree(place, ignore_errors=True)
            elif not place.with_suffix("").exists():  # a lock
                place.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
