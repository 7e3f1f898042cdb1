"""Read the numbers of a data set piece by piece, and no more of them than were declared.

HDF5's own gzip filter unpacks a chunk to whatever it holds, be it a thousand times what the chunk
may hold; here a chunk is unpacked up to its size. That also lets several unpack at once.
"""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from qipo_ray.data.layout import Answer, Unusable

# Real data compress by less than 3, single columns of flags by 1,000. A small file, whose rows may
# be all alike, is never refused for its ratio.
_RATIO = 32  # declared bytes per stored byte
_SMALL = 64 * 2**20  # bytes
_MOST = 32 * 2**30  # bytes
_CHUNK = 32 * 2**20  # bytes of one chunk; h5py's own are at most 1 MiB
_BLOCK = 4 * 2**20  # bytes read at once where there are no chunks
_THREADS = 4

_GZIP, _SHUFFLE = 1, 2  # HDF5's numbers of these filters

Index = tuple[slice, ...]
Put = Callable[[Index, npt.NDArray], None]
Piece = tuple[int, int, int]  # offset, bytes, filters skipped


@dataclass(frozen=True)
class Column:
    """One data set: numbers of a type and shape that lie in an open file.

    ``start`` is where all of them begin, or ``pieces`` where each chunk of shape ``chunk`` lies.
    """

    name: str
    descriptor: int
    dtype: np.dtype
    shape: tuple[int, ...]
    stored: int  # bytes
    start: int
    chunk: tuple[int, ...] | None
    filters: tuple[int, ...]
    pieces: tuple[Piece, ...]

    @classmethod
    def of(cls, name: str, descriptor: int, facts: Answer) -> Column:
        """Return the data set that ``layout`` described."""
        chunk = tuple(facts["chunk"]) if facts["chunk"] else None
        column = cls(
            name=name,
            descriptor=descriptor,
            dtype=np.dtype(facts["type"]),
            shape=tuple(facts["shape"]),
            stored=facts["stored"],
            start=facts["offset"] or 0,
            chunk=chunk,
            filters=tuple(facts["filters"]),
            pieces=tuple(map(tuple, facts["pieces"])),
        )
        if chunk is None and column.stored != column.bytes:
            raise Unusable(f"{name} declares rows that were never written")
        return column

    @property
    def bytes(self) -> int:
        """What the numbers take once unpacked."""
        return math.prod(self.shape) * self.dtype.itemsize

    def floats(self, out: npt.NDArray[np.float32]) -> None:
        """Fill ``out`` of this shape; ``Unusable`` where a number is not finite."""

        def put(index: Index, piece: npt.NDArray) -> None:
            with np.errstate(over="ignore"):  # a float64 beyond float32 becomes inf
                out[index] = piece
            finite = np.isfinite(out[index])
            if not finite.all():
                row = index[0].start + int(np.argwhere(~finite)[0, 0])
                raise Unusable(f"{self.name} hold NaN or infinite numbers, as in row {row}")

        self._read(put)

    def flags(self, out: npt.NDArray[np.bool_]) -> None:
        """Fill ``out`` of this shape; ``Unusable`` for any value but 0 and 1."""

        def put(index: Index, piece: npt.NDArray) -> None:
            values = piece.view(np.uint8) if piece.dtype.kind == "b" else piece
            if not ((values == 0) | (values == 1)).all():
                raise Unusable(f"{self.name} hold values other than 0 and 1")
            out[index] = values

        self._read(put)

    def _read(self, put: Put) -> None:
        """Give every piece with its place to ``put``, in the file's own type."""
        if self.chunk is None:
            for index, offset in self._blocks():
                lengths = [part.stop - part.start for part in index]
                size = math.prod(lengths) * self.dtype.itemsize
                data = _bytes(self.descriptor, offset, size)
                put(index, np.frombuffer(data, self.dtype).reshape(lengths))
            return
        chunk, shape = self.chunk, self.shape
        steps = zip(shape, chunk, strict=True)
        places = product(*(range(0, length, step) for length, step in steps))

        def one(place: tuple[int, ...], piece: Piece) -> None:
            limits = zip(place, chunk, shape, strict=True)
            index = tuple(slice(p, min(p + step, length)) for p, step, length in limits)
            inside = tuple(slice(0, part.stop - part.start) for part in index)
            put(index, self._unpacked(chunk, piece)[inside])

        with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
            for _ in pool.map(one, places, self.pieces):
                pass

    def _blocks(self) -> Iterator[tuple[Index, int]]:
        rows, width = self.shape[0], self.bytes // max(1, self.shape[0])
        step = max(1, _BLOCK // max(1, width))
        rest = tuple(slice(0, length) for length in self.shape[1:])
        for first in range(0, rows, step):
            yield (slice(first, min(first + step, rows)), *rest), self.start + first * width

    def _unpacked(self, chunk: tuple[int, ...], piece: Piece) -> npt.NDArray:
        """Return one chunk, unpacked to exactly its size."""
        offset, stored, skipped = piece
        size, width = math.prod(chunk) * self.dtype.itemsize, self.dtype.itemsize
        data = _bytes(self.descriptor, offset, stored)
        for place in reversed(range(len(self.filters))):
            if not skipped >> place & 1:
                unpack = _inflated if self.filters[place] == _GZIP else _unshuffled
                data = unpack(data, size, width)
        if len(data) != size:
            raise Unusable(f"is damaged, get it again (a chunk of {self.name} has another size)")
        return np.frombuffer(data, self.dtype).reshape(chunk)


def check_amount(columns: Sequence[Column], size: int) -> None:
    """Refuse data sets that are more than the file's ``size`` bytes can hold.

    A file of 10 KB may legally declare 400 GB, one chunk of 4 GB, or one piece of the file as
    many chunks.
    """
    declared = sum(column.bytes for column in columns)
    stored = sum(column.stored for column in columns)
    allowed = min(max(_SMALL, _RATIO * min(stored, size)), _MOST)
    if declared > allowed:
        raise Unusable(
            f"declares {declared / 1e9:,.1f} GB of data in {size:,} bytes; "
            f"at most {allowed / 1e9:,.1f} GB are read"
        )
    if stored > size:
        raise Unusable(f"declares {stored:,} stored bytes; the file has {size:,}")
    for column in columns:
        if column.chunk is not None:
            _check_chunks(column, column.chunk)


def _check_chunks(column: Column, chunk: tuple[int, ...]) -> None:
    used = column.filters
    if len(set(used)) != len(used) or not set(used) <= {_GZIP, _SHUFFLE}:
        raise Unusable(
            f"{column.name} are packed by HDF5's filters {list(used)}; read are gzip (1) and "
            "shuffle (2), once each"
        )
    steps = zip(column.shape, chunk, strict=True)
    if len(column.pieces) != math.prod(-(-length // step) for length, step in steps):
        raise Unusable(f"{column.name} have another number of chunks than they declare")
    whole = math.prod(chunk) * column.dtype.itemsize
    if whole > _CHUNK:
        raise Unusable(
            f"{column.name} declare chunks of {whole / 1e9:,.2f} GB of data; "
            f"at most {_CHUNK / 1e9:.2f} GB are read"
        )
    if max((stored for _, stored, _ in column.pieces), default=0) > whole + whole // 100 + 1024:
        raise Unusable(f"{column.name} have a chunk that is larger than its numbers")


def _bytes(descriptor: int, offset: int, size: int) -> bytes:
    try:
        data = os.pread(descriptor, size, offset)
    except (OSError, OverflowError, ValueError) as error:
        raise Unusable(f"cannot be read at byte {offset:,}: {error}") from error
    if len(data) != size:
        raise Unusable(f"is cut short or damaged: nothing lies at byte {offset + size:,}")
    return data


def _inflated(data: bytes, size: int, width: int) -> bytes:
    stream = zlib.decompressobj()
    try:
        whole = stream.decompress(data, size + 1)
    except zlib.error as error:
        raise Unusable(f"is damaged, get it again ({error})") from None
    if len(whole) > size or not stream.eof:
        raise Unusable(f"is damaged, get it again (a chunk does not unpack to {size:,} bytes)")
    return whole


def _unshuffled(data: bytes, size: int, width: int) -> bytes:
    if len(data) != size:
        raise Unusable(f"is damaged, get it again (a chunk does not unpack to {size:,} bytes)")
    return np.frombuffer(data, np.uint8).reshape(width, -1).T.tobytes()
