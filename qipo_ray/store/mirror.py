"""Copies of a bucket's objects to read, and what was written as files, brought to the bucket.

Tables, reports and `verify` read folders. Where the results are in a bucket they read a copy of
it, which ``pull`` brings up to date first. ``Upload`` takes event files the other way.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import IO, Any

from qipo_ray.errors import StorageError, UserError
from qipo_ray.store import bucket
from qipo_ray.store.lease import FOLDER
from qipo_ray.store.records import SKIPPED

AT_ONCE = 16  # requests
PULLS = 3  # at most, while a sweep goes on
SECOND = 2.0  # to which a bucket tells times, with some to spare
PIECE = 8 * 2**20  # bytes of a data file
UPLOAD_EVERY_S = 60.0
# What the scratch folder has for itself: nothing there is a copy.
OWN = SKIPPED - {"artefacts"} | {"study"}


def begin(root: Path) -> None:
    """Make sure that a bucket answers, before anything is computed, and make the scratch folder.

    ``UserError`` says in one line what is wrong.
    """
    try:
        bucket.names(root, bucket.FIRST_S)
    except StorageError as problem:
        raise UserError(str(problem)) from None
    try:
        root.mkdir(parents=True, exist_ok=True)
    except FileExistsError:  # the copy of an object
        raise UserError(f"{bucket.address(root).uri}: that is an object, not a folder") from None


def pull(root: Path, *, weights: bool = False) -> None:
    """Bring the copies below ``root`` up to date, without ``weights`` all but checkpoints.

    Nothing for a folder that stands for no bucket's. ``UserError`` if there is no object.
    """
    if not bucket.is_object(root):
        return
    begin(root)
    for _ in range(PULLS):
        if _pull(root, weights):
            break


def _pull(root: Path, weights: bool) -> bool:
    """Return whether all that was copied was still as it was listed: then it fits together."""
    at = bucket.address(root)
    listed_at = time.time()
    entries = bucket.patiently(at, lambda: at.client.list(at.key or None).collect())
    objects = {_below(root, at, entry["path"]): entry for entry in entries}
    copies = {
        path: entry
        for path, entry in objects.items()
        if (weights or path.suffix != ".pt") and not OWN & {*path.relative_to(root).parts}
    }
    with ThreadPoolExecutor(AT_ONCE) as pool:
        steady = all([*pool.map(_copy, copies, copies.values())])
    for folder, below, files in os.walk(root):
        below[:] = [name for name in below if name not in OWN]
        for path in (Path(folder, name) for name in files):
            if path not in objects and path.stat().st_mtime < listed_at - SECOND:
                path.unlink(missing_ok=True)
    return steady


def object_version(path: Path) -> bucket.Version:
    """Return the version of an object; ``FileNotFoundError`` if there is none."""
    at = bucket.address(path)
    return bucket.version_of(bucket.patiently(at, lambda: at.client.head(at.key), bucket.FIRST_S))


def download(path: Path, file: IO[bytes]) -> None:
    """Write an object into a file, in pieces; if it is replaced meanwhile, its version tells."""
    at = bucket.address(path)
    size = bucket.patiently(at, lambda: at.client.head(at.key))["size"]
    for start in range(0, size, PIECE):
        file.write(bucket.patiently(at, partial(_piece, at, start, min(start + PIECE, size))))


def _piece(at: bucket.Address, start: int, end: int) -> bytes:
    return bytes(at.client.get_range(at.key, start=start, end=end))


def pulled(folder: Path, *, weights: bool = False) -> Path:
    """Return where to read a folder of results; a bucket's is copied there first.

    Of a record's file, ``RESULTS/records/ID.json``, that is the folder around it.
    """
    if not bucket.is_uri(folder):
        return folder
    root = bucket.scratch_of(folder)
    if folder.suffix == ".json" and folder.parent.name == "records":
        pull(root.parents[1], weights=weights)
        if not root.is_file():
            raise UserError(f"{bucket.address(root).uri}: there is no such record")
        return root
    pull(root, weights=weights)
    if not any(root.iterdir()):
        root.rmdir()  # it may be an object's name, whose copy belongs there
        raise UserError(f"{bucket.address(root).uri}: there is nothing below that name")
    return root


def _below(root: Path, at: bucket.Address, key: str) -> Path:
    """Return the path of a listed object; ``UserError`` for one that would lie elsewhere."""
    path = Path(bucket.SCRATCH, at.scheme, at.bucket, key)
    if ".." in path.parts or not path.is_relative_to(root):
        raise UserError(f"{at.uri}: {key!r:.80} is no name of ours")
    return path


def _copy(path: Path, entry: dict[str, Any]) -> bool:
    """Copy an object, unless its copy is of its time and size; return whether it was as listed.

    Heartbeats need not be: they change all the time, and fit to anything.
    """
    changed = entry["last_modified"].timestamp()
    if path.is_file():
        now = path.stat()
        if (now.st_size, now.st_mtime) == (entry["size"], changed):
            return True
    try:
        data, version = bucket.read(path)
    except FileNotFoundError:
        return False  # pruned meanwhile
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    temporary.write_bytes(data)
    if time.time() - changed > SECOND:  # else it may change within the second that is told
        os.utime(temporary, (changed, changed))
    os.replace(temporary, path)
    return path.parent.name == FOLDER or version == bucket.version_of(entry)


class Upload:
    """Event files of one driver on their way to the bucket; those of drivers before make room.

    Only what this driver has written is sent: in a folder that it begins anew its files are all.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self._begun = folder, time.time() - SECOND
        self._sent: dict[Path, tuple[int, int]] = {}  # size and time of each file
        self._next = time.monotonic() + UPLOAD_EVERY_S

    def sync(self) -> None:
        """Send what has changed, now and then."""
        if time.monotonic() >= self._next:
            self.close()
            self._next = time.monotonic() + UPLOAD_EVERY_S

    def close(self) -> None:
        """Send what has changed."""
        for path in sorted(self.folder.rglob("*")):
            state = path.stat()
            mark = state.st_size, state.st_mtime_ns
            if path.is_dir() or state.st_mtime < self._begun or self._sent.get(path) == mark:
                continue
            bucket.write(path, path.read_bytes())
            if path not in self._sent:  # a folder begun anew
                for name in bucket.names(path.parent):
                    if not (path.parent / name).exists():
                        bucket.remove(path.parent / name)
            self._sent[path] = mark
