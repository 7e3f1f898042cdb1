"""The numbers of one array of a file, checked while they come block by block."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qipo_ray.data.contents import Blocks, Damaged, Facts, Index, Unusable, indices

# Real data compress by less than 3, single columns of flags by 1,000. A small file, whose rows may
# be all alike, is never refused for its ratio.
_RATIO = 32  # declared bytes per stored byte
_SMALL = 64 * 2**20  # bytes
_LARGEST = 32 * 2**30  # bytes


@dataclass(frozen=True)
class StoredArray:
    """Numbers of a type and shape in an open file, in blocks of shape ``block``."""

    name: str
    dtype: np.dtype
    shape: tuple[int, ...]
    block: tuple[int, ...]
    stored: int  # bytes
    read: Blocks

    @classmethod
    def from_facts(cls, name: str, facts: Facts, read: Blocks) -> StoredArray:
        """Return the array that ``contents`` described."""
        dtype, shape, block = np.dtype(facts["dtype"]), tuple(facts["shape"]), facts["block"]
        return cls(name, dtype, shape, tuple(block), facts["stored"], read)

    @property
    def bytes(self) -> int:
        """What the numbers take once unpacked."""
        return math.prod(self.shape) * self.dtype.itemsize

    def floats(self, out: npt.NDArray[np.float32]) -> None:
        """Fill ``out`` of this shape; ``Unusable`` where a number is not finite."""
        for index, values in self._blocks():
            with np.errstate(over="ignore"):  # a float64 beyond float32 becomes inf
                out[index] = values
            finite = np.isfinite(out[index])
            if not finite.all():
                row = index[0].start + int(np.argwhere(~finite)[0, 0])
                raise Unusable(f"{self.name} hold NaN or infinite numbers, as in row {row}")

    def flags(self, out: npt.NDArray[np.bool_]) -> None:
        """Fill ``out`` of this shape; ``Unusable`` for any value but 0 and 1."""
        for index, block in self._blocks():
            values = block.view(np.uint8) if block.dtype.kind == "b" else block
            if not ((values == 0) | (values == 1)).all():
                raise Unusable(f"{self.name} hold values other than 0 and 1")
            out[index] = values

    def _blocks(self) -> Iterator[tuple[Index, npt.NDArray]]:
        """Yield every block and where it lies, in the file's own type."""
        pairs = zip(indices(self.shape, self.block), self.read(self.name), strict=True)
        try:
            for index, data in pairs:
                lengths = [part.stop - part.start for part in index]
                yield index, np.frombuffer(data, self.dtype).reshape(lengths)
        except ValueError as error:  # too few blocks, too many, or one of another size
            raise Damaged(str(error)) from error


def check_amount(arrays: Sequence[StoredArray], size: int) -> None:
    """Refuse arrays that are more than the file's ``size`` bytes can hold.

    A file of 10 KB may legally declare 400 GB, or one piece of the file as many arrays.
    """
    declared = sum(array.bytes for array in arrays)
    stored = sum(array.stored for array in arrays)
    allowed = min(max(_SMALL, _RATIO * min(stored, size)), _LARGEST)
    if declared > allowed:
        raise Unusable(
            f"declares {declared / 1e9:,.1f} GB of data in {size:,} bytes; "
            f"at most {allowed / 1e9:,.1f} GB are read"
        )
    if stored > size:
        raise Unusable(f"declares {stored:,} stored bytes; the file has {size:,}")
