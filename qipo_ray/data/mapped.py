"""Arrays that lie once on a machine, however many processes read them.

The first process that asks makes them and writes them into the data cache; every process maps the
files. A mapping is private: pages are shared until somebody writes to them, and what is written
stays with the process that wrote it. (Ray's object store has no such protection: torch writes
through its read-only arrays into every worker's.)
"""

from __future__ import annotations

import fcntl
import hashlib
import json
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

MANIFEST = "sha256.json"  # of each array's file, by name; written last
PIECE = 1 << 20  # bytes
TELL_S = 10.0
WAIT_S = 600.0  # for another process that prepares the same data; a stopped one never ends
KEEP_S = 7 * 24 * 3600.0  # since the last use; then the next process that writes removes them

Arrays = Mapping[str, npt.NDArray]
Stamp = dict[str, tuple[int, int]]  # of files by name: size, and when they were written

_sound: dict[Path, Stamp] = {}  # what this process has checked


def mapped(key: str, make: Callable[[], Arrays]) -> Arrays:
    """Return the arrays of a key, mapped; ``make`` is called where this machine has no sound ones.

    ``key`` must name all that the arrays depend on, the code that makes them included. Where the
    cache cannot be written to, a warning says so and the arrays are this process's own.
    """
    folder = data_cache() / "mapped"
    target = folder / key
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(target):
            if target.exists() and not _is_sound(target):
                logger.warning("prepared data in %s were damaged: they are made anew", target)
                shutil.rmtree(target)
            if not target.exists():
                remove_old(folder)
                arrays = make()
                _write(target, arrays)
                _sound[target] = _stamp(target)
                del arrays
    except OSError as error:
        logger.warning(
            "%s cannot be written (%s): each process holds its own copy of the data", target, error
        )
        return make()
    with suppress(OSError):
        os.utime(target)
    return {path.stem: np.load(path, mmap_mode="c") for path in target.glob("*.npy")}


def _write(target: Path, arrays: Arrays) -> None:
    """Put the arrays in their place, all or none."""
    half = target.with_suffix(".half")
    shutil.rmtree(half, ignore_errors=True)  # of a process that died
    half.mkdir()
    try:
        for name, array in arrays.items():
            with (half / f"{name}.npy").open("wb") as file:
                np.save(file, array, allow_pickle=False)
                file.flush()
                os.fsync(file.fileno())
        (half / MANIFEST).write_text(json.dumps(_hashes(half)))
        os.rename(half, target)
    except OSError:
        shutil.rmtree(half, ignore_errors=True)
        raise


def _is_sound(target: Path) -> bool:
    """Return whether every array's file is as it was written; read once in each process."""
    stamp = _stamp(target)
    if _sound.get(target) != stamp:
        try:
            if json.loads((target / MANIFEST).read_bytes()) != _hashes(target):
                return False
        except (OSError, ValueError):  # of files that are gone, unreadable, or folders
            return False
        _sound[target] = stamp
    return True


def _stamp(folder: Path) -> Stamp:
    stats = {path.name: path.stat() for path in folder.iterdir()}
    return {name: (stat.st_size, stat.st_mtime_ns) for name, stat in stats.items()}


def _hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of the arrays' files by name."""
    hashes = {}
    for path in folder.glob("*.npy"):
        with path.open("rb") as file:
            digest = hashlib.sha256()
            while piece := file.read(PIECE):
                digest.update(piece)
        hashes[path.name] = digest.hexdigest()
    return hashes


def remove_old(folder: Path) -> None:
    """Remove what nobody has used for long; a process that still maps it keeps its pages."""
    for entry in folder.iterdir():
        if time.time() - entry.stat().st_mtime > KEEP_S:
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            elif entry.suffix != ".lock" or not entry.with_suffix("").exists():
                entry.unlink(missing_ok=True)


@contextmanager
def locked(target: Path, progress: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Hold the lock of what is made at a path; ``TimeoutError`` if another process keeps it.

    It may keep it for as long as ``progress`` returns something else from time to time.
    """
    begun = moved = time.monotonic()
    seen, told = progress(), False
    path = target.with_name(f"{target.name}.lock")
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                moment = time.monotonic()
                if (now := progress()) != seen:
                    seen, moved = now, moment
                if moment - moved > WAIT_S:
                    raise TimeoutError(f"{path} is held by a process that does not end") from None
            if moment - begun > TELL_S and not told:
                logger.warning("waiting for another process that prepares data: it holds %s", path)
                told = True
            time.sleep(0.1)
        yield
