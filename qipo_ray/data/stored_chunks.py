"""Whether the bytes that a file stores for an array are as many as its numbers take.

HDF5's library does not ask: where a chunk unpacks to too little, it hands out whatever lay in its
memory as numbers, or dies. So packed chunks are unpacked once more, by length; numbers are h5py's.
"""

from __future__ import annotations

import math
import zlib
from itertools import product

from h5py import h5d, h5p

from qipo_ray.data.faults import Damaged, Unusable, quoted

LARGEST_BLOCK = 32 * 2**20  # bytes of one chunk; h5py's own are at most 1 MiB
_CHUNKS = 50_000  # of one array
_GZIP, _SHUFFLE, _CHECKSUM, _LZF = 1, 2, 3, 32000  # HDF5's numbers of filters
_PACKERS = {_GZIP, _LZF}


class StoredChunks:
    """How an array lies in a file: in chunks of so many ``rows``, ``packed`` by filters or not."""

    def __init__(self, name: str, array: h5d.DatasetID, size: int) -> None:
        """``size`` is that of a number; ``Unusable`` for an array outside of this file."""
        self._name, self._array, self._size = name, array, size
        self._settings: h5p.PropDCID = array.get_create_plist()
        layout = self._settings.get_layout()
        if layout == h5d.VIRTUAL or self._settings.get_external_count():
            raise Unusable(f"{name!r} takes its data from other files, which are not followed")
        chunked = layout == h5d.CHUNKED
        self._chunk: tuple[int, ...] = self._settings.get_chunk() if chunked else ()
        count = self._settings.get_nfilters() if chunked else 0
        self._filters = [self._settings.get_filter(number)[0] for number in range(count)]
        self._bytes = math.prod(self._chunk) * size  # of a chunk
        self.rows, self.packed = (*self._chunk, 1)[0], bool(self._filters)

    def check(self, shape: tuple[int, ...], stored: int) -> None:
        """Refuse what is too large, not all there, or packed in a way that is not checked."""
        row = math.prod(shape[1:]) * self._size
        largest = max(self._bytes, self.rows * row)
        if largest > LARGEST_BLOCK:
            raise Unusable(
                f"{self._name} declare rows or chunks of {largest / 1e9:,.2f} GB of data; "
                f"at most {LARGEST_BLOCK / 1e9:.2f} GB are read"
            )
        if self._chunk:
            self._check_filters()
            self._check_chunks(shape)
        elif stored != math.prod(shape) * self._size:
            raise Unusable(f"{self._name} declares rows that were never written")

    def _check_filters(self) -> None:
        filters = set(self._filters)
        known = filters <= {_GZIP, _SHUFFLE, _CHECKSUM, _LZF} and not filters >= _PACKERS
        if known and len(filters) == len(self._filters):
            return
        names = [self._settings.get_filter(n)[3] for n in range(len(self._filters))]
        listed = ", ".join(quoted(name.decode("utf-8", "replace")) for name in names)
        raise Unusable(
            f"{self._name} are packed by HDF5's filters {listed}; expected gzip (deflate) or lzf, "
            "shuffle and fletcher32, once each: write it again with these"
        )

    def _check_chunks(self, shape: tuple[int, ...]) -> None:
        steps, size = zip(shape, self._chunk, strict=True), self._bytes
        count = math.prod(-(-length // step) for length, step in steps)
        if count > _CHUNKS:
            raise Unusable(f"{self._name} declare {count:,} chunks; at most {_CHUNKS:,} are read")
        sizes: list[int] = []
        self._array.chunk_iter(lambda chunk: sizes.append(chunk.size))
        if len(sizes) < count:
            raise Unusable(
                f"{self._name!r} declares rows that were never written: "
                f"{len(sizes):,} of {count:,} chunks are there"
            )
        if max(sizes, default=0) > size + size // 100 + 1024:
            raise Unusable(f"{self._name} have a chunk that is larger than its numbers")
        if not self._filters and set(sizes) - {size}:
            raise Damaged(f"a chunk of {self._name} does not hold {size:,} bytes")

    def vouch(self, rows: slice) -> None:
        """Say ``Damaged`` if a packed chunk of these rows would unpack to another size."""
        ranges = [range(rows.start, rows.stop, self.rows)]
        steps = zip(self._array.shape[1:], self._chunk[1:], strict=True)
        ranges += [range(0, length, step) for length, step in steps]
        for offset in product(*ranges):
            skipped, data = self._array.read_direct_chunk(offset)
            if self._length(skipped, data) != self._bytes:
                raise Damaged(f"a chunk of {self._name} does not hold {self._bytes:,} bytes")

    def _length(self, skipped: int, data: bytes) -> int:
        """Return how many bytes a chunk unpacks to; what follows a packer keeps the length."""
        length = len(data)
        for number, code in reversed(list(enumerate(self._filters))):
            if skipped >> number & 1:
                continue
            if code == _CHECKSUM:
                data, length = data[:-4], length - 4
            elif code == _GZIP:
                length = _gzip_length(data, self._bytes + 4)
            elif code == _LZF:
                length = _lzf_length(data)
        return length


def _gzip_length(data: bytes, most: int) -> int:
    """Return how much a stream unpacks to; ``most + 1`` for more, and -1 for one cut short."""
    stream = zlib.decompressobj()
    length = len(stream.decompress(data, most + 1))
    return length if stream.eof or length > most else -1


def _lzf_length(data: bytes) -> int:
    """Return how much a stream unpacks to: pieces, each a run or a copy of what came earlier."""
    position = length = 0
    while position < len(data):
        code = data[position]
        if code < 32:
            position, length = position + code + 2, length + code + 1
        elif code < 224:
            position, length = position + 2, length + (code >> 5) + 2
        else:
            position, length = position + 3, length + data[position + 1] + 9
    return length
