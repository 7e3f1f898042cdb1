"""The numbers of one array of a file, checked while they come block by block."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qipo_ray.data.contents import Blocks, Facts
from qipo_ray.data.faults import Damaged, Unusable

# Real data compress by less than 3, single columns of flags by 1,000. A small file, whose rows may
# be all alike, is never refused for its ratio.
_RATIO = 32  # declared bytes per stored byte
_SMALL = 64 * 2**20  # bytes
_LARGEST = 32 * 2**30  # bytes


@dataclass(frozen=True)
class StoredArray:
    """Numbers of a type and shape in an open file.

    ``lengths (E,)`` are the rows of each episode in Minari's layout, None in D4RL's.
    """

    name: str
    dtype: np.dtype
    shape: tuple[int, ...]
    lengths: npt.NDArray[np.int64] | None
    stored: int  # bytes
    read: Blocks

    @classmethod
    def from_facts(cls, name: str, facts: Facts, read: Blocks) -> StoredArray:
        """Return the array that ``contents`` described."""
        lengths = None if facts["lengths"] is None else np.array(facts["lengths"], np.int64)
        dtype, shape = np.dtype(facts["dtype"]), tuple(facts["shape"])
        return cls(name, dtype, shape, lengths, facts["stored"], read)

    @property
    def bytes(self) -> int:
        """What the numbers take once unpacked."""
        return math.prod(self.shape) * self.dtype.itemsize

    def floats(self) -> npt.NDArray[np.float32]:
        """Return the numbers in their shape; ``Unusable`` where one is not finite."""
        flat = np.empty(math.prod(self.shape), np.float32)
        for part, values in self._blocks():
            with np.errstate(over="ignore"):  # a float64 beyond float32 becomes inf
                flat[part] = values
            finite = np.isfinite(flat[part])
            if not finite.all():
                name, row = self._place(part.start + int(np.argmin(finite)))
                raise Unusable(f"{name} hold NaN or infinite numbers, as in row {row}")
        return flat.reshape(self.shape)

    def flags(self) -> npt.NDArray[np.bool_]:
        """Return the values, flat; ``Unusable`` for any but 0 and 1."""
        flat = np.empty(math.prod(self.shape), np.bool_)
        for part, block in self._blocks():
            values = block.view(np.uint8) if block.dtype.kind == "b" else block
            if not ((values == 0) | (values == 1)).all():
                raise Unusable(f"{self.name} hold values other than 0 and 1")
            flat[part] = values
        return flat

    def _place(self, number: int) -> tuple[str, int]:
        """Return the name of the array in the file that a number lies in, and its row there."""
        row = number // math.prod(self.shape[1:])
        if self.lengths is None:
            return self.name, row
        stops = np.cumsum(self.lengths)
        episode = int(np.searchsorted(stops, row, side="right"))
        return f"episode_{episode}/{self.name}", row - int(stops[episode] - self.lengths[episode])

    def _blocks(self) -> Iterator[tuple[slice, npt.NDArray]]:
        """Yield every block and where it lies among all numbers, in the file's own type."""
        stop, size = 0, math.prod(self.shape)
        try:
            for data in self.read(self.name):
                values = np.frombuffer(data, self.dtype)
                start, stop = stop, stop + len(values)
                if stop > size:
                    break
                yield slice(start, stop), values
        except ValueError as error:  # a block that ends within a number
            raise Damaged(str(error)) from error
        if stop != size:
            raise Damaged(f"{self.name} came with {stop:,} numbers, not {size:,}")


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
