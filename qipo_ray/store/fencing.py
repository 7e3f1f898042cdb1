"""Attempts: of all processes that work on one job, only the newest may publish.

Each attempt has a number and a staging folder, and everything it publishes or deletes is a rename
out of or into that folder. A newer attempt first takes its number, then renames the staging
folders of all lower ones; from then on a rename of theirs fails, also one that was already on its
way. There is no lock that a stopped process could hold.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from qipo_ray.store.files import HOST, flush_folder, json_bytes, make_folder, write_new

CLAIM = re.compile(r"attempt-(?P<number>[0-9]{6})")
STAGING = re.compile(r"staging-(?P<number>[0-9]{6})")
CLOSED = re.compile(r"closed-[0-9]{6}")


class StaleToken(RuntimeError):
    """A newer attempt has taken the job over; this one must stop and cannot publish."""


def newest_attempt(folder: Path) -> int:
    """Return the highest number claimed in a job's folder, 0 if none was."""
    return max(_numbers(folder, CLAIM), default=0)


def claim(folder: Path) -> int:
    """Return a new attempt number, higher than all before; lower ones can publish no more.

    Of processes that claim at once each gets a number of its own, and the highest one counts.
    """
    make_folder(folder)
    content = json_bytes({"host": HOST, "pid": os.getpid()})
    number = newest_attempt(folder) + 1
    while True:
        try:
            write_new(folder / f"attempt-{number:06d}", content)
            break
        except FileExistsError:
            number += 1
    os.mkdir(_staging(folder, number), 0o700)
    for lower in _numbers(folder, STAGING):
        if lower < number:
            with suppress(FileNotFoundError):  # another claim was faster
                os.rename(_staging(folder, lower), folder / f"closed-{lower:06d}")
    flush_folder(folder)
    for entry in os.listdir(folder):
        if CLOSED.fullmatch(entry):
            shutil.rmtree(folder / entry, ignore_errors=True)
    return number


@contextmanager
def fenced(folder: Path, attempt: int) -> Iterator[Path]:
    """Give the staging folder of ``attempt``; ``StaleToken`` once a higher one was claimed."""
    _refuse_if_stale(folder, attempt)
    staging = _staging(folder, attempt)
    if not staging.is_dir():
        _refuse_if_stale(folder, attempt)
        raise ValueError(f"attempt {attempt} was never claimed in {folder}")
    try:
        yield staging
    except FileNotFoundError:
        _refuse_if_stale(folder, attempt)
        raise


def discard(staging: Path, path: Path) -> None:
    """Delete a file of the job unless it is gone; fails like a write once the attempt is stale."""
    trash = staging / path.name
    try:
        os.replace(path, trash)
    except FileNotFoundError:
        if staging.is_dir():
            return
        raise
    os.unlink(trash)


def _refuse_if_stale(folder: Path, attempt: int) -> None:
    newest = newest_attempt(folder)
    if attempt < newest:
        raise StaleToken(f"attempt {attempt} on {folder.name} is stale: {newest} took over")


def _staging(folder: Path, number: int) -> Path:
    return folder / f"staging-{number:06d}"


def _numbers(folder: Path, pattern: re.Pattern[str]) -> list[int]:
    """Return the numbers of all entries that match, none for a missing folder."""
    try:
        entries = os.listdir(folder)
    except FileNotFoundError:
        return []
    return [int(match["number"]) for entry in entries if (match := pattern.fullmatch(entry))]
