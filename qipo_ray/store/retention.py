"""The retention of a snapshot, ``<updates:09d>.fate``: pinned, or marked for pruning.

A snapshot is one of them for as long as the file is there, whichever process was first to create
it. So a snapshot that one process has pinned is never deleted by another.
"""

from __future__ import annotations

from pathlib import Path

from qipo_ray.store.fencing import discard
from qipo_ray.store.files import names, read_bytes, write_new

KEEP, PRUNE = b"keep\n", b"prune\n"


def is_pinned(folder: Path, updates: int) -> bool:
    """Return whether the snapshot is pinned; a damaged pin counts."""
    return _read(folder, updates) == KEEP


def pin(folder: Path, updates: int) -> bool:
    """Return True if the snapshot is pinned, now or already; False if it is being pruned."""
    try:
        write_new(_path(folder, updates), KEEP)
    except FileExistsError:
        return is_pinned(folder, updates)
    return True


def mark(folder: Path, updates: int, staging: Path) -> bool:
    """Return True if the snapshot is marked for pruning, now or already; False if pinned."""
    try:
        write_new(_path(folder, updates), PRUNE, staging=staging)
    except FileExistsError:
        return _read(folder, updates) == PRUNE
    return True


def unmark(folder: Path, updates: int, staging: Path) -> None:
    """Remove a mark; only the holder of the fencing token may, when the pruning is over."""
    if _read(folder, updates) == PRUNE:
        discard(staging, _path(folder, updates))


def marked(folder: Path) -> list[int]:
    """Return the updates of all snapshots that are marked, also of those already gone."""
    stems = [name.removesuffix(".fate") for name in names(folder) if name.endswith(".fate")]
    lengths = (int(stem) for stem in stems if stem.isdecimal())
    return sorted(updates for updates in lengths if _read(folder, updates) == PRUNE)


def _path(folder: Path, updates: int) -> Path:
    return folder / f"{updates:09d}.fate"


def _read(folder: Path, updates: int) -> bytes | None:
    """Return KEEP, PRUNE or None; anything but a sound PRUNE counts as KEEP."""
    try:
        raw = read_bytes(_path(folder, updates))
    except FileNotFoundError:
        return None
    return PRUNE if raw == PRUNE else KEEP
