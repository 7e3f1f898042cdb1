"""Fencing tokens: of all processes that work on one job, only the newest may publish.

Each claim gives a higher token, a number, and a staging folder. Everything that its holder
publishes or deletes is a rename out of or into that folder. A new claim first takes its token,
then renames the staging folders of all lower ones; from then on a rename of theirs fails, also one
that was already on its way. In a bucket, where nothing is renamed, the staging folder is an object
that a new claim deletes, and each write and deletion asks for it first.

Our own, because the libraries at hand lock: a process that stopped would hold its lock for ever,
and one that woke up after its lock had expired would write still.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from qipo_ray.store import bucket
from qipo_ray.store.files import HOST, flush_folder, json_bytes, make_folder, names, write_new

CLAIM = re.compile(r"attempt-(?P<token>[0-9]{6})")
STAGING = re.compile(r"staging-(?P<token>[0-9]{6})")
CLOSED = re.compile(r"closed-[0-9]{6}")


class StaleToken(RuntimeError):
    """A newer token was claimed: the job was taken over, and this process can publish no more."""


def newest_token(folder: Path) -> int:
    """Return the highest token claimed in a job's folder, 0 if none was."""
    return max(_tokens(folder, CLAIM), default=0)


def claim(folder: Path) -> int:
    """Return a new token, higher than all before; the holders of those can publish no more.

    Of processes that claim at once each gets a token of its own, and the highest one counts.
    """
    make_folder(folder)
    content = json_bytes({"host": HOST, "pid": os.getpid()})
    token = newest_token(folder) + 1
    while True:
        try:
            write_new(folder / f"attempt-{token:06d}", content)
            break
        except FileExistsError:
            token += 1
    if bucket.is_object(folder):
        write_new(_staging(folder, token), b"")
        for lower in _tokens(folder, STAGING):
            if lower < token:
                bucket.remove(_staging(folder, lower))
        return token
    os.mkdir(_staging(folder, token))
    if newest_token(folder) > token:  # a claim that may not have seen this folder
        with suppress(OSError):  # or that has closed it
            os.rmdir(_staging(folder, token))
    for lower in _tokens(folder, STAGING):
        if lower < token:
            with suppress(FileNotFoundError):  # another claim was faster
                os.rename(_staging(folder, lower), folder / f"closed-{lower:06d}")
    flush_folder(folder)
    for entry in os.listdir(folder):
        if CLOSED.fullmatch(entry):
            shutil.rmtree(folder / entry, ignore_errors=True)
    return token


@contextmanager
def fenced(folder: Path, token: int) -> Iterator[Path]:
    """Give the staging folder of ``token``; ``StaleToken`` once a higher one was claimed."""
    _refuse_if_stale(folder, token)
    staging = _staging(folder, token)
    if not _is_open(staging):
        _refuse_if_stale(folder, token)
        raise ValueError(f"attempt {token} was never claimed in {folder}")
    try:
        yield staging
    except FileNotFoundError:
        _refuse_if_stale(folder, token)
        raise


def discard(staging: Path, path: Path) -> None:
    """Delete a file of the job unless it is gone; fails like a write once the token is stale."""
    if bucket.is_object(path):
        bucket.remove(path, staging)
        return
    trash = staging / path.name
    try:
        os.replace(path, trash)
    except FileNotFoundError:
        if staging.is_dir():
            return
        raise
    os.unlink(trash)


def _refuse_if_stale(folder: Path, token: int) -> None:
    newest = newest_token(folder)
    if token < newest:
        raise StaleToken(f"attempt {token} on {folder.name} is stale: {newest} took over")


def _is_open(staging: Path) -> bool:
    return bucket.exists(staging) if bucket.is_object(staging) else staging.is_dir()


def _staging(folder: Path, token: int) -> Path:
    return folder / f"staging-{token:06d}"


def _tokens(folder: Path, pattern: re.Pattern[str]) -> list[int]:
    """Return the tokens in the names of all entries that match, none for a missing folder."""
    return [int(match["token"]) for entry in names(folder) if (match := pattern.fullmatch(entry))]
