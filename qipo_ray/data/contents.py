"""What lies in an HDF5 file, and its numbers block by block: all that h5py is asked.

HDF5's library trusts a file's own words: a few changed bytes make it write outside its memory, run
for ever or ask for gigabytes. So ``inspector`` runs this in a process that may be lost, for every
file but a published one.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from qipo_ray.data.ends import OTHER_NAMES, looks_like_ends

KEYS = (
    "observations", "actions", "rewards", "terminals", "timeouts", "next_observations",
    "terminations", *OTHER_NAMES,
)  # fmt: skip
EPISODE = re.compile(r"episode_(0|[1-9][0-9]{0,6})")  # a group of Minari's layout

LARGEST_BLOCK = 32 * 2**20  # bytes of one chunk; h5py's own are at most 1 MiB
_BLOCK = 4 * 2**20  # bytes read at once where there are no chunks
_MEMBERS = 100_000  # of one group; the largest set of episodes has 20,000
_CHUNKS = 50_000  # of one array
_NAME_LENGTH = 60  # characters of a name from the file
_GZIP, _SHUFFLE = 1, 2  # HDF5's numbers of these filters

# From h5py and zlib.
_DAMAGE = (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError, zlib.error)

Facts = dict[str, Any]
Index = tuple[slice, ...]
Blocks = Callable[[str], Iterator[bytes]]


class Unusable(Exception):
    """Why a file cannot be used, without its name."""


class Damaged(Unusable):
    """What HDF5's library said of a file that it could not read."""


def quoted(name: str) -> str:
    """Return a name out of a file for a message: short, quoted, without control characters."""
    return ascii(name if len(name) <= _NAME_LENGTH else name[: _NAME_LENGTH - 3] + "...")


@contextmanager
def contents(path: Path, *, published: bool = False) -> Iterator[tuple[Facts, Blocks]]:
    """Yield the facts of a file, and what reads the numbers of one of its arrays.

    The facts are the first ``names`` in the file, its ``source``, the names of arrays that look
    like ``ends`` of episodes but are not known, and by their path the ``arrays`` with the keys
    ``dtype``, ``shape``, ``block`` (the shape of a block) and ``stored`` (bytes). Blocks come in
    the order of ``indices``, in the file's own type.

    Args:
        path: the file.
        published: the file is the published one, whose compressed chunks need no check.

    Raises:
        Unusable: the file leads to others, or has something that is not read.
        Damaged: HDF5's library cannot read it.
    """
    with _damage():
        root = h5py.File(path, "r", locking="best-effort")
    with root:
        with _damage():
            facts = _described(root)

        def blocks(name: str) -> Iterator[bytes]:
            with _damage():
                array, entry = root[name], facts["arrays"][name]
                plain = published or _GZIP not in _filters(array)
                read = (lambda index: array[index].tobytes()) if plain else _unpacker(array)
            for index in indices(entry["shape"], entry["block"]):
                with _damage():
                    yield read(index)

        yield facts, blocks


@contextmanager
def _damage() -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise Damaged(str(error) or type(error).__name__) from error


def indices(shape: Sequence[int], block: Sequence[int]) -> Iterator[Index]:
    """Yield where each block of an array lies; at the array's ends blocks are smaller."""
    axes = (
        [slice(start, min(start + step, length)) for start in range(0, length, step)]
        for length, step in zip(shape, block, strict=True)
    )
    return product(*axes)


def _described(root: h5py.File) -> Facts:
    names, arrays = _members(root), {}
    for name in names:
        if name in KEYS:
            arrays[name] = _array(name, root[name])
        elif EPISODE.fullmatch(name):
            arrays.update(_episode(name, root[name]))
    ends = [
        name
        for name in names
        if name not in KEYS and looks_like_ends(name) and isinstance(root[name], h5py.Dataset)
    ]
    return {"names": names[:8], "source": _source(root), "arrays": arrays, "ends": ends[:8]}


def _episode(name: str, group: object) -> Facts:
    if not isinstance(group, h5py.Group):
        raise Unusable(f"{quoted(name)} is an array; wanted is a group")
    keys = [key for key in _members(group) if key in KEYS]
    observations = group["observations"] if "observations" in keys else None
    if isinstance(observations, h5py.Group):
        parts = ", ".join(map(quoted, list(observations)[:4]))
        raise Unusable(
            f"has observations in parts ({parts}); read are sets whose observations are one array"
        )
    return {f"{name}/{key}": _array(f"{name}/{key}", group[key]) for key in keys}


def _members(group: h5py.Group) -> list[str]:
    """Return the names in a group, after a look at each: none may lead to somewhere else."""
    if len(group) > _MEMBERS:
        raise Unusable(f"holds {len(group):,} entries in one group; at most {_MEMBERS:,} are read")
    names = list(group)
    for name in names:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise Unusable(f"{quoted(name)} is a link to somewhere else; links are not followed")
    return names


def _array(name: str, array: object) -> Facts:
    """Return the facts of an array whose bytes all lie in this file."""
    if isinstance(array, h5py.Group):
        raise Unusable(f"{name!r} is a group; wanted is an array")
    if not isinstance(array, h5py.Dataset):
        raise Unusable(f"{name!r} is a type; wanted is an array")
    if array.is_virtual or array.external:
        raise Unusable(f"{name!r} takes its data from other files, which are not followed")
    dtype = array.dtype
    if dtype.kind not in "fiub" or dtype.itemsize > 8:
        raise Unusable(f"{name!r} has type {str(dtype)[:40]}; wanted are numbers")
    if not h5py.h5t.py_create(dtype).equal(array.id.get_type()):
        raise Unusable(f"{name!r} has an unusual type of numbers, which is not read")
    shape = (0,) if array.shape is None else array.shape
    rows = max(1, _BLOCK // max(1, math.prod(shape[1:]) * dtype.itemsize))
    block = array.chunks or (rows, *shape[1:])[: len(shape)]
    _check_blocks(name, array, block)
    stored = array.id.get_storage_size()
    return {"dtype": dtype.str, "shape": shape, "block": block, "stored": stored}


def _check_blocks(name: str, array: h5py.Dataset, block: Sequence[int]) -> None:
    filters, size = _filters(array), math.prod(block) * array.dtype.itemsize
    if len(set(filters)) != len(filters) or not set(filters) <= {_GZIP, _SHUFFLE}:
        raise Unusable(
            f"{name} are packed by HDF5's filters {filters}; read are gzip (1) and "
            "shuffle (2), once each"
        )
    if size > LARGEST_BLOCK:
        raise Unusable(
            f"{name} declare rows or chunks of {size / 1e9:,.2f} GB of data; "
            f"at most {LARGEST_BLOCK / 1e9:.2f} GB are read"
        )
    if not array.chunks:
        if array.id.get_storage_size() != array.nbytes:
            raise Unusable(f"{name} declares rows that were never written")
        return
    count = math.prod(-(-n // step) for n, step in zip(array.shape, block, strict=True))
    if count > _CHUNKS:
        raise Unusable(f"{name!r} declares {count:,} chunks; at most {_CHUNKS:,} are read")
    sizes: list[int] = []
    array.id.chunk_iter(lambda chunk: sizes.append(chunk.size))
    if len(sizes) < count:
        raise Unusable(
            f"{name!r} declares rows that were never written: "
            f"{len(sizes):,} of {count:,} chunks are there"
        )
    if max(sizes, default=0) > size + size // 100 + 1024:
        raise Unusable(f"{name} have a chunk that is larger than its numbers")
    if _GZIP not in filters and set(sizes) - {size}:
        raise Damaged(f"a chunk of {name} does not hold {size:,} bytes")


def _filters(array: h5py.Dataset) -> list[int]:
    settings = array.id.get_create_plist()
    return [settings.get_filter(number)[0] for number in range(settings.get_nfilters())]


def _unpacker(array: h5py.Dataset) -> Callable[[Index], bytes]:
    """Return what reads one chunk of an array, unpacked to exactly its size.

    HDF5's own gzip filter unpacks a chunk to whatever it holds, a thousand times what it may hold,
    or less: then it hands out whatever lay in its memory.
    """
    shape, dtype, filters = array.chunks, array.dtype, list(enumerate(_filters(array)))[::-1]
    size = math.prod(shape) * dtype.itemsize

    def unpacked(index: Index) -> bytes:
        skipped, data = array.id.read_direct_chunk([part.start for part in index])
        for number, code in filters:
            if skipped >> number & 1:
                continue
            if code == _GZIP:
                stream = zlib.decompressobj()
                data = stream.decompress(data, size + 1)
                if not stream.eof:
                    data = b""
            else:
                data = np.frombuffer(data, np.uint8).reshape(dtype.itemsize, -1).T.tobytes()
        if len(data) != size:
            raise Damaged(f"a chunk of {array.name[1:]} does not hold {size:,} bytes")
        lengths = tuple(part.stop - part.start for part in index)
        if lengths != shape:  # at the array's end
            chunk = np.frombuffer(data, dtype).reshape(shape)
            data = chunk[tuple(map(slice, lengths))].tobytes()
        return data

    return unpacked


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
