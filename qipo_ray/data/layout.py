"""Where the numbers of an HDF5 file lie: what the inspector's process answers.

HDF5's library trusts a file's own words: a few changed bytes make it write outside its memory, run
for ever or ask for gigabytes. So it runs here, in a process that may be lost, with a limit on its
memory; ``inspector`` starts it and reads its answers, and the numbers are read without HDF5.
"""

from __future__ import annotations

import json
import re
import resource
import select
import sys
from contextlib import suppress
from itertools import product
from typing import Any

import h5py

KEYS = (
    "observations", "actions", "rewards", "terminals", "timeouts", "next_observations",
    "terminations", "truncations",
)  # fmt: skip
EPISODE = re.compile(r"episode_(0|[1-9][0-9]{0,6})")  # a group of Minari's layout

MEMORY = 192 * 2**20  # bytes, of which Python, numpy and h5py take 60 MB
IDLE_S = 10.0  # then the process ends
MEMBERS = 100_000  # of one group; the largest set of episodes known has 20,000
CHUNKS = 50_000  # of one data set
SHOWN = 60  # characters of a name from the file

_DAMAGE = (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError)  # from h5py

Answer = dict[str, Any]


class Unusable(Exception):
    """Why a file cannot be used, without its name."""


def shown(name: str) -> str:
    """Return a name out of a file for a message: short, quoted, without control characters."""
    return ascii(name if len(name) <= SHOWN else name[: SHOWN - 3] + "...")


def serve() -> None:
    """Answer each line of stdin, a path as JSON, by a line on stdout; end when nobody asks."""
    with suppress(ValueError, OSError):  # not every system has the limit
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    while select.select([sys.stdin], [], [], IDLE_S)[0]:
        line = sys.stdin.readline()
        if not line:
            return
        sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
        sys.stdout.flush()


def answer(path: str) -> Answer:
    """Return what ``describe`` says of a file, or why it cannot: ``unusable`` or ``damage``."""
    try:
        with h5py.File(path, "r", locking="best-effort") as root:
            return describe(root)
    except Unusable as error:
        return {"unusable": str(error)}
    except _DAMAGE as error:
        return {"damage": str(error) or type(error).__name__}


def describe(root: h5py.File) -> Answer:
    """Return the first ``names`` of a file, its ``source``, and its ``columns`` by their path."""
    names, columns = _members(root), {}
    for name in names:
        if name in KEYS:
            columns[name] = _column(name, root[name])
        elif EPISODE.fullmatch(name):
            columns.update(_episode(name, root[name]))
    return {"names": names[:8], "source": _source(root), "columns": columns}


def _episode(name: str, group: object) -> Answer:
    if not isinstance(group, h5py.Group):
        raise Unusable(f"{shown(name)} is an array; wanted is a group")
    inner = [key for key in _members(group) if key in KEYS]
    parts = group["observations"] if "observations" in inner else None
    if isinstance(parts, h5py.Group):
        held = ", ".join(map(shown, list(parts)[:4]))
        raise Unusable(
            f"has observations in parts ({held}); read are sets whose observations are one array"
        )
    return {f"{name}/{key}": _column(f"{name}/{key}", group[key]) for key in inner}


def _members(group: h5py.Group) -> list[str]:
    """Return the names in a group, after a look at each: none may lead to somewhere else."""
    if len(group) > MEMBERS:
        raise Unusable(f"holds {len(group):,} entries in one group; at most {MEMBERS:,} are read")
    names = list(group)
    for name in names:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise Unusable(f"{shown(name)} is a link to somewhere else; links are not followed")
    return names


def _column(name: str, column: object) -> Answer:
    """Return the type, shape and place of a data set whose bytes all lie in this file."""
    if isinstance(column, h5py.Group):
        raise Unusable(f"{name!r} is a group; wanted is an array")
    if not isinstance(column, h5py.Dataset):
        raise Unusable(f"{name!r} is a type; wanted is an array")
    if column.is_virtual or column.external:
        raise Unusable(f"{name!r} takes its data from other files, which are not followed")
    kind = column.dtype
    if kind.kind not in "fiub" or kind.itemsize > 8:
        raise Unusable(f"{name!r} has type {str(kind)[:40]}; wanted are numbers")
    if not h5py.h5t.py_create(kind).equal(column.id.get_type()):
        raise Unusable(f"{name!r} has an unusual type of numbers, which is not read")
    settings = column.id.get_create_plist()
    return {
        "type": kind.str,
        "shape": (0,) if column.shape is None else column.shape,
        "stored": column.id.get_storage_size(),
        "offset": column.id.get_offset() if column.chunks is None else None,
        "chunk": column.chunks,
        "filters": [settings.get_filter(i)[0] for i in range(settings.get_nfilters())],
        "pieces": _pieces(name, column) if column.chunks else [],
    }


def _pieces(name: str, column: h5py.Dataset) -> list[tuple[int, int, int]]:
    """Return (offset, bytes, filters skipped) of each chunk, in the order of their rows."""
    steps = list(zip(column.shape, column.chunks, strict=True))
    wanted = 1
    for length, step in steps:
        wanted *= -(-length // step)
    if wanted > CHUNKS:
        raise Unusable(f"{name!r} declares {wanted:,} chunks; at most {CHUNKS:,} are read")
    found: dict[tuple[int, ...], tuple[int, int, int]] = {}

    def note(info: Any) -> None:
        found[info.chunk_offset] = (info.byte_offset, info.size, info.filter_mask)

    column.id.chunk_iter(note)
    places = list(product(*(range(0, length, step) for length, step in steps)))
    there = [found[place] for place in places if place in found]
    if len(there) < len(places):
        raise Unusable(
            f"{name!r} declares rows that were never written: "
            f"{len(there):,} of {len(places):,} chunks are there"
        )
    return there


def _source(root: h5py.File) -> str | None:
    """Return the file's attribute ``source``; ``"other"`` where that is no short text."""
    if "source" not in root.attrs:
        return None
    mark = root.attrs.get_id("source")
    plain = mark.shape == () and h5py.check_string_dtype(mark.dtype) is not None
    if not plain or mark.get_storage_size() > 4096:
        return "other"
    text = root.attrs["source"]
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
