"""The retention of a snapshot, ``<updates:09d>.fate``: kept or pruned.

It is decided once, by whoever is first to create the file, so that a snapshot cannot be promised
to one and deleted by another.
"""

from __future__ import annotations

from pathlib import Path

from qipo_ray.store.fencing import discard
from qipo_ray.store.files import write_new

KEEP, PRUNE = b"keep\n", b"prune\n"


def is_pinned(folder: Path, updates: int) -> bool:
    """Return whether the snapshot was promised to someone; a damaged pin counts."""
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
    """Take back a condemnation; only the attempt that prunes may, while it is not pruning."""
    if _read(folder, updates) == PRUNE:
        discard(staging, _path(folder, updates))


def marked(folder: Path) -> list[int]:
    """Return the updates of all snapshots that are marked, also of those already gone."""
    found = (int(path.stem) for path in folder.glob("*.fate") if path.stem.isdecimal())
    return sorted(updates for updates in found if _read(folder, updates) == PRUNE)


def _path(folder: Path, updates: int) -> Path:
    return folder / f"{updates:09d}.fate"


def _read(folder: Path, updates: int) -> bytes | None:
    """Return KEEP, PRUNE or None; anything but a sound PRUNE counts as KEEP."""
    try:
        raw = _path(folder, updates).read_bytes()
    except FileNotFoundError:
        return None
    return PRUNE if raw == PRUNE else KEEP
