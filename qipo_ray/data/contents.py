"""What lies in an HDF5 file, and its numbers block by block: all that h5py is asked.

HDF5's library trusts a file's own words: a few changed bytes make it write outside its memory, run
for ever or ask for gigabytes. So ``inspector`` runs this in a process that may be lost, for every
file but a published one.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
from h5py import h5d, h5f, h5g, h5l, h5o, h5s, h5t

from qipo_ray.data.ends import OTHER_NAMES, looks_like_ends
from qipo_ray.data.faults import Damaged, Unusable, quoted
from qipo_ray.data.stored_chunks import StoredChunks

KEYS = (
    "observations", "actions", "rewards", "terminals", "timeouts", "next_observations",
    *OTHER_NAMES,
)  # fmt: skip
EPISODE = re.compile(r"episode_(0|[1-9][0-9]{0,6})")  # a group of Minari's layout
EPISODE_KEYS = ("observations", "actions", "rewards", "terminations", "truncations")

_BLOCK = 4 * 2**20  # bytes that are handed out at once, unless a chunk is larger
_MEMBERS = 100_000  # of one group; the largest set of episodes has 20,000

# From h5py and zlib.
_DAMAGE = (OSError, RuntimeError, LookupError, ValueError, TypeError, MemoryError, zlib.error)

Facts = dict[str, Any]
Blocks = Callable[[str], Iterator[bytes]]


@dataclass
class _Column:
    """An array of the file, or those of its episodes one after the other, as one array.

    ``lengths`` are the rows of each, ``row`` the shape of a row, ``stored`` is in bytes.
    """

    name: str
    path: str  # of an array, by its number
    row: tuple[int, ...] = ()
    dtypes: set[np.dtype] = field(default_factory=set)
    lengths: list[int] = field(default_factory=list)
    stored: int = 0
    packed: bool = False

    @cached_property
    def dtype(self) -> np.dtype:
        return np.result_type(*self.dtypes)

    def add(self, path: str, array: h5d.DatasetID) -> None:
        """Add one more array, after a look at its type, its shape and how it is stored."""
        dtype, size = _dtype(path, array), array.get_storage_size()
        shape = (0,) if array.shape is None else array.shape
        chunks = StoredChunks(path, array, dtype.itemsize)
        chunks.check(shape, size)
        if self.lengths and shape[1:] != self.row:
            wanted = (*shape[:1], *self.row)
            raise Unusable(
                f"{path} have shape {shape}; expected {wanted}, as in {self.path.format(0)}"
            )
        self.row = shape[1:]
        self.dtypes.add(dtype)
        self.lengths.append(shape[0] if shape else 0)
        self.stored += size
        self.packed |= chunks.packed

    def facts(self) -> Facts:
        shape = (sum(self.lengths), *self.row)
        lengths = None if self.path == self.name else self.lengths
        return {"dtype": self.dtype.str, "shape": shape, "lengths": lengths, "stored": self.stored}

    def pieces(self, root: h5g.GroupID, published: bool) -> Iterator[npt.NDArray]:
        """Yield the rows, by no more at once than a block or a chunk."""
        row = max(1, math.prod(self.row) * self.dtype.itemsize)
        checked = self.packed and not published
        for number, length in enumerate(self.lengths):
            path = self.path.format(number)
            array = h5o.open(root, path.encode())
            if length * row <= _BLOCK and not checked:
                yield self._rows(array, length, slice(0, length))
                continue
            stored = StoredChunks(path, array, array.get_type().get_size())
            step = stored.rows * max(1, _BLOCK // (stored.rows * row))
            for start in range(0, length, step):
                part = slice(start, min(start + step, length))
                if checked and stored.packed:
                    stored.vouch(part)
                yield self._rows(array, length, part)

    def _rows(self, array: h5d.DatasetID, length: int, part: slice) -> npt.NDArray:
        rows = np.empty((part.stop - part.start, *self.row), self.dtype)
        if len(rows) == length:
            array.read(h5s.ALL, h5s.ALL, rows)
        else:
            space = array.get_space()
            space.select_hyperslab((part.start, *(0 for _ in self.row)), rows.shape)
            array.read(h5s.create_simple(rows.shape), space, rows)
        return rows


@contextmanager
def contents(path: Path, *, published: bool = False) -> Iterator[tuple[Facts, Blocks]]:
    """Yield the facts of a file, and what reads the numbers of one of its arrays.

    The facts are the first ``names`` in the file, its ``source``, the names of arrays that look
    like ``ends`` of episodes but are not known, and by their names the ``arrays`` with the keys
    ``dtype``, ``shape``, ``stored`` (bytes) and ``lengths``: in Minari's layout an array is that
    of all episodes, one after the other, and has so many rows of each; else None. Blocks are the
    rows in their order, in the type ``dtype``.

    Args:
        path: the file.
        published: the file is the published one, whose packed chunks need no check.

    Raises:
        Unusable: the file leads to others, or has something that is not read.
        Damaged: HDF5's library cannot read it.
    """
    with _damage():
        root = h5py.File(path, "r", locking="best-effort")
    with root:
        with _damage():
            _bound_memory(root.id)
            names = _members(root.id)
            columns = {column.name: column for column in _columns(root.id, names)}
            facts = {
                "names": names[:8],
                "source": _source(root),
                "arrays": {name: column.facts() for name, column in columns.items()},
                "ends": _unread_ends(root, names),
            }

        def blocks(name: str) -> Iterator[bytes]:
            with _damage():
                yield from _joined(columns[name].pieces(root.id, published))

        yield facts, blocks


def _bound_memory(root: h5f.FileID) -> None:
    """Let HDF5 keep 4 MiB of headers; by itself it takes 25 kB of memory for every episode."""
    settings = root.get_mdc_config()
    settings.set_initial_size = True
    settings.initial_size = settings.min_size = settings.max_size = 4 * 2**20
    root.set_mdc_config(settings)


@contextmanager
def _damage() -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise Damaged(str(error) or type(error).__name__) from error


def _joined(pieces: Iterator[npt.NDArray]) -> Iterator[bytes]:
    """Yield pieces, small ones joined to blocks; none is empty."""
    held: list[memoryview] = []
    size = 0
    for piece in pieces:
        if size and size + piece.nbytes > _BLOCK:
            yield b"".join(held)
            held, size = [], 0
        if piece.nbytes:
            held.append(piece.data.cast("B"))
        size += piece.nbytes
    if size:
        yield b"".join(held)


def _columns(root: h5g.GroupID, names: list[str]) -> Iterator[_Column]:
    """Return the arrays of either layout; a file that has episodes has Minari's."""
    numbers = sorted(int(match[1]) for name in names if (match := EPISODE.fullmatch(name)))
    if numbers:
        yield from _episodes(root, numbers)
        return
    for name in names:
        if name in KEYS:
            column = _Column(name, name)
            column.add(name, _array(name, h5o.open(root, name.encode())))
            yield column


def _episodes(root: h5g.GroupID, numbers: list[int]) -> list[_Column]:
    if numbers[-1] != len(numbers) - 1:
        raise Unusable(f"misses episodes: it has {len(numbers)}, the last one is {numbers[-1]}")
    columns: dict[str, _Column] = {}
    for number in numbers:
        name = f"episode_{number}"
        group = h5o.open(root, name.encode())
        if not isinstance(group, h5g.GroupID):
            raise Unusable(f"{quoted(name)} is an array; expected a group")
        members = _members(group)
        missing = [key for key in EPISODE_KEYS if key not in members]
        if missing:
            raise Unusable(f"misses {', '.join(missing)} in {name}")
        arrays = dict(leaf for key in EPISODE_KEYS for leaf in _leaves(name, group, key))
        if not columns:
            columns = {key: _Column(key, f"episode_{{}}/{_plain(key)}") for key in arrays}
        if arrays.keys() != columns.keys():
            odd = sorted(arrays.keys() ^ columns.keys())[0]
            raise Unusable(f"{name} and episode_0 differ: one of them misses {quoted(odd)}")
        for key, array in arrays.items():
            columns[key].add(f"{name}/{key}", array)
    return list(columns.values())


def _plain(key: str) -> str:
    return key.replace("{", "{{").replace("}", "}}")


def _leaves(label: str, group: h5g.GroupID, key: str) -> Iterator[tuple[str, h5d.DatasetID]]:
    """Yield an array of an episode, or those of its parts, by their names in the episode."""
    leaf = h5o.open(group, key.rpartition("/")[2].encode("utf-8", "surrogateescape"))
    if isinstance(leaf, h5g.GroupID) and key.partition("/")[0] in EPISODE_KEYS[:2]:
        for name in _members(leaf):
            yield from _leaves(label, leaf, f"{key}/{name}")
    else:
        yield key, _array(f"{label}/{key}", leaf)


def _members(group: h5g.GroupID) -> list[str]:
    """Return the names in a group, after a look at each: none may lead to somewhere else."""
    count = group.get_num_objs()
    if count > _MEMBERS:
        raise Unusable(f"holds {count:,} entries in one group; at most {_MEMBERS:,} are read")
    kinds: dict[str, int] = {}

    def look(name: bytes, link: h5l.LinkInfo) -> None:
        kinds[name.decode("utf-8", "surrogateescape")] = link.type

    group.links.iterate(look, info=True)
    for name, kind in kinds.items():
        if kind != h5l.TYPE_HARD:
            raise Unusable(f"{quoted(name)} is a link to somewhere else; links are not followed")
    return list(kinds)


def _array(path: str, member: h5o.ObjectID) -> h5d.DatasetID:
    if isinstance(member, h5d.DatasetID):
        return member
    kind = "group" if isinstance(member, h5g.GroupID) else "type"
    raise Unusable(f"{path!r} is a {kind}; expected an array")


def _dtype(path: str, array: h5d.DatasetID) -> np.dtype:
    dtype, usual = _numbers(array.get_type().encode())
    if dtype.kind not in "fiub" or dtype.itemsize > 8:
        raise Unusable(f"{path!r} has type {str(dtype)[:40]}; expected numbers")
    if not usual:
        raise Unusable(f"{path!r} has an unusual type of numbers, which is not read")
    return dtype


@cache
def _numbers(written: bytes) -> tuple[np.dtype, bool]:
    """Return the type that HDF5 writes so, and whether it is just numpy's of that name."""
    kind = h5t.decode(written)
    return kind.dtype, kind.dtype.kind in "fiub" and h5t.py_create(kind.dtype).equal(kind)


def _unread_ends(root: h5py.File, names: list[str]) -> list[str]:
    """Return the first names of arrays that look like ends of episodes and are not read."""
    read = {*KEYS, *EPISODE_KEYS}
    alike = (name for name in names if name not in read and looks_like_ends(name))
    other = (name for name in alike if not EPISODE.fullmatch(name))
    return [name for name in other if isinstance(root[name], h5py.Dataset)][:8]


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
