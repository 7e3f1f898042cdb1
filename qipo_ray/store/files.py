"""Durable files: after a crash at any point a path holds its old content or its new one.

A write goes to a temporary file of its own, is flushed to the disk, and takes its name in one
step; then the folder is flushed. Who may read them follows from the process's umask.

A path may stand for an object in a bucket (``bucket.py``), which then holds old or new content.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import re
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from qipo_ray.store import bucket

logger = logging.getLogger(__name__)

HOST = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
# The line that ``sealed`` adds to a document.
SEAL = re.compile(rb'^ "check": "([0-9a-f]{64})",\n', re.MULTILINE)
TEMPORARY = re.compile(r"\..+\.(?P<host>[0-9a-f]{8})\.(?P<pid>[0-9]{1,9})\.[0-9a-f]{8}\.tmp")
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
CHUNK = 1 << 20  # bytes


def check_name(name: str) -> str:
    """Return ``name`` if it is safe as a part of a path, else ``ValueError``."""
    if not isinstance(name, str) or not NAME.fullmatch(name) or ".." in name:
        raise ValueError(
            f"unsafe name {name!r:.80}: expected up to 64 of a-z 0-9 . _ -, a-z 0-9 first, no '..'"
        )
    return name


def write_bytes(path: Path, data: bytes, *, staging: Path | None = None) -> None:
    """Put ``data`` at ``path`` durably, replacing what was there; makes missing folders.

    ``staging`` holds the temporary file (default: the folder of ``path``; same file system).
    """
    if bucket.is_object(path):
        bucket.write(path, data, staging)
        if staging is not None:
            return
    if staging is None:
        make_folder(path.parent)
    with _temporary(staging or path.parent, path.name, data) as temporary:
        os.replace(temporary, path)
    flush_folder(path.parent)


def write_new(path: Path, data: bytes, *, staging: Path | None = None) -> None:
    """Put ``data`` at ``path`` durably if nothing is there, else ``FileExistsError``.

    Of any number of processes that try at once, exactly one succeeds.
    """
    if bucket.is_object(path):
        return bucket.create(path, data, staging)
    if staging is None:
        make_folder(path.parent)
    with _temporary(staging or path.parent, path.name, data) as temporary:
        os.link(temporary, path)
    flush_folder(path.parent)


def read_bytes(path: Path) -> bytes:
    """Return what is at ``path`` now; ``FileNotFoundError`` if nothing is."""
    return bucket.read(path)[0] if bucket.is_object(path) else path.read_bytes()


def names(folder: Path) -> list[str]:
    """Return the names in a folder now, sorted; none if it is missing."""
    if bucket.is_object(folder):
        return bucket.names(folder)
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []


def json_bytes(obj: Any) -> bytes:
    """Return ``obj`` as indented JSON with sorted keys and a newline at the end."""
    return (json.dumps(obj, sort_keys=True, allow_nan=False, indent=1) + "\n").encode()


def parse_json(data: bytes) -> Any:
    """Return the document in ``data``; ``ValueError`` for anything but strict JSON."""
    try:
        return _STRICT.decode(data.decode("utf-8"))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


_STRICT = json.JSONDecoder(parse_constant=_refuse)


def sealed(obj: dict[str, Any]) -> bytes:
    """Return ``obj`` as JSON with one more key, ``check``, the SHA-256 of all others."""
    plain = parse_json(json_bytes(obj))
    return json_bytes({**plain, "check": _check(plain)})


def unsealed(data: bytes) -> dict[str, Any]:
    """Return what ``sealed`` was given; ``ValueError`` if a single bit of meaning changed."""
    obj = parse_json(data)
    if not isinstance(obj, dict) or "check" not in obj:
        raise ValueError("no check sum")
    check = obj.pop("check")
    if not _as_written(data) and check != _check(obj):
        raise ValueError("check sum does not match")
    return obj


def _as_written(data: bytes) -> bool:
    """Say whether these are the very bytes of ``sealed``, which saves writing them anew."""
    seal = SEAL.search(data)
    if seal is None:
        return False
    rest = hashlib.sha256(data[: seal.start()] + data[seal.end() :])
    return rest.hexdigest().encode() == seal[1]


def _check(obj: dict[str, Any]) -> str:
    return hashlib.sha256(json_bytes(obj)).hexdigest()


def set_aside(path: Path, judged: bytes | None, why: str) -> None:
    """Rename a damaged file to ``<name>.corrupt`` and log a warning that names it.

    A file that was replaced since it was ``judged`` gets its name back (None: not compared).
    On storage that cannot be written the file stays, and only the warning remains.
    """
    aside = path.with_name(path.name + ".corrupt")
    if bucket.is_object(path):
        _set_object_aside(path, aside, judged, why)
        return
    try:
        os.replace(path, aside)
        if judged is not None and aside.read_bytes() != judged:
            with suppress(FileExistsError):
                os.link(aside, path)
            os.unlink(aside)
            return
    except FileNotFoundError:
        return
    except OSError as problem:
        logger.warning("%s is damaged (%s) and cannot be renamed: %s", path, why, problem)
        return
    logger.warning("%s is damaged (%s); renamed to %s", path, why, aside.name)


def _set_object_aside(path: Path, aside: Path, judged: bytes | None, why: str) -> None:
    """Put a damaged object under another name, unless it was replaced since it was judged."""
    with suppress(FileNotFoundError):
        present = read_bytes(path)
        if judged in (None, present):
            bucket.write(aside, present)
            bucket.remove(path)
            logger.warning("%s is damaged (%s); renamed to %s", path, why, aside.name)


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hex digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, durably; an old one stays."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for child in reversed(missing):
        with suppress(FileExistsError):
            os.mkdir(child)
        flush_folder(child.parent)


def flush_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk, where the file system can."""
    if bucket.is_object(folder):
        return  # what counts is in the bucket
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as problem:
        if problem.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def remove_stale(folder: Path, *, older_than: float = 3600.0) -> list[Path]:
    """Return the temporary files of dead writers that were removed from ``folder``.

    A writer is dead if its process is gone from this host, or, wherever it ran, if its file has
    not been touched for ``older_than`` seconds.
    """
    removed = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        match = TEMPORARY.fullmatch(path.name)
        if match is None:
            continue
        with suppress(FileNotFoundError):
            gone = match["host"] == HOST and not process_exists(int(match["pid"]))
            if gone or time.time() - path.stat().st_mtime > older_than:
                path.unlink()
                removed.append(path)
    return removed


def process_exists(pid: int) -> bool:
    """Return whether a process of this host has the number ``pid``."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let errors of the operating system name ``path``, where they name none."""
    try:
        yield
    except OSError as problem:
        problem.filename = problem.filename or str(path)
        raise


@contextmanager
def _temporary(folder: Path, name: str, data: bytes) -> Iterator[Path]:
    """Give a flushed file of ``data``, to be linked or renamed; nothing of it is left after."""
    path = folder / f".{name}.{HOST}.{os.getpid()}.{secrets.token_hex(4)}.tmp"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        try:
            view = memoryview(data)
            with naming(folder / name):
                while view:
                    view = view[os.write(descriptor, view) :]
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        yield path
    finally:
        with suppress(FileNotFoundError):
            os.unlink(path)
