"""A data file that this machine lacks: one copy of it for all processes, held to its hash.

Copies lie in the data cache under their SHA-256, with which they are compared at each use, and go
when they were long unused. They come from a bucket, or from the driver's machine, as
``distributed/datasets.py`` does it.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Any

from qipo_ray.data.locate import data_cache
from qipo_ray.data.mapped import locked, remove_old
from qipo_ray.errors import StorageError, UserError
from qipo_ray.store.bucket import Version, as_uri, scratch_of
from qipo_ray.store.files import sha256_file
from qipo_ray.store.mirror import download, object_version

FOLDER = "files"  # of the data cache

Fill = Callable[[IO[bytes]], None]


def copy_of(sha256: str, name: str, fill: Fill) -> Path:
    """Return this machine's copy of the file ``name``, which the first that asks lets be filled.

    ``UserError`` if what comes has another hash.
    """
    folder = _folder()
    copy = folder / f"{sha256}{Path(name).suffix}"
    with locked(copy, partial(_fetched, folder)):
        if not copy.is_file() or sha256_file(copy) != sha256:
            with _filled(folder, fill) as part:
                if sha256_file(part) != sha256:
                    raise UserError(f"{name} changed since the run was planned: other SHA-256")
                os.replace(part, copy)
        os.utime(copy)
    return copy


def from_bucket(uri: Path, sha256: str) -> Path:
    """Return this machine's copy of a file in a bucket; ``UserError`` if it is another by now."""
    try:
        return copy_of(sha256, as_uri(uri), partial(download, scratch_of(uri)))
    except FileNotFoundError:
        raise _missing(uri) from None


def newest_from_bucket(uri: Path) -> Path:
    """Return this machine's copy of a file as its bucket has it now, whatever its hash is.

    It is fetched where the bucket tells another version than it did at the last time.
    """
    version, folder = version_in_bucket(uri), _folder()
    note = folder / f"{hashlib.sha256(as_uri(uri).encode()).hexdigest()}.json"
    with locked(note, partial(_fetched, folder)):
        known = _noted(note)
        while known.get("version") != version:  # and again if it was replaced meanwhile
            with _filled(folder, partial(download, scratch_of(uri))) as part:
                known = {"version": version, "sha256": sha256_file(part)}
                os.replace(part, folder / f"{known['sha256']}{uri.suffix}")
            version = version_in_bucket(uri)
        note.write_text(json.dumps(known))
        os.utime(note)
    return from_bucket(uri, known["sha256"])


def version_in_bucket(uri: Path) -> Version:
    """Return the version of a file; ``UserError`` if its bucket has none, or does not answer."""
    try:
        return object_version(scratch_of(uri))
    except FileNotFoundError:
        raise _missing(uri) from None
    except StorageError as problem:
        raise UserError(f"data file {problem}") from None


def _missing(uri: Path) -> UserError:
    return UserError(f"data file {as_uri(uri)}: the bucket has no such object")


def _folder() -> Path:
    folder = data_cache() / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _fetched(folder: Path) -> dict[Path, int]:
    """Return how many bytes there are of the files that processes of this machine fetch now."""
    sizes = {}
    for part in folder.glob("*.part"):
        with suppress(FileNotFoundError):  # complete meanwhile
            sizes[part] = part.stat().st_size
    return sizes


@contextmanager
def _filled(folder: Path, fill: Fill) -> Iterator[Path]:
    """Yield a new file; it is gone afterwards, unless it was moved to its place."""
    remove_old(folder)
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as file:
        part = Path(file.name)
        try:
            fill(file)
            file.flush()
            yield part
        finally:
            part.unlink(missing_ok=True)


def _noted(note: Path) -> dict[str, Any]:
    """Return the version last fetched and its hash; nothing where that is not known."""
    try:
        known = json.loads(note.read_bytes())
        return {"version": known["version"], "sha256": str(known["sha256"])}
    except (OSError, ValueError, LookupError, TypeError):
        return {}
