"""Columns of Arrow and Parquet files as arrays, batch by batch; pandas is not needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from qipo_ray.data.faults import Damaged, Unusable, quoted

PARQUET = b"PAR1"  # the first bytes of a file
_BATCH = 65_536  # rows of a Parquet file that are unpacked at once


@contextmanager
def reading(label: str) -> Iterator[None]:
    """Say ``Damaged`` for whatever Arrow's library cannot read in the block."""
    try:
        yield
    except (pa.ArrowException, OSError, EOFError, ValueError) as error:
        raise Damaged(f"{label} is damaged ({quoted(str(error))})") from error


def names_of(path: Path) -> list[str]:
    """Return the names of the columns of an Arrow or Parquet file."""
    with reading(f"{path.parent.name}/{path.name}"):
        if _is_parquet(path):
            return list(pq.read_schema(path).names)
        with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as file:
            return list(file.schema.names)


def batches(path: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield columns of a file, each there once, in the order of its rows."""
    label = f"{path.parent.name}/{path.name}"
    names = names_of(path)
    odd = [name for name in columns if names.count(name) != 1]
    if odd:
        kind = "misses" if odd[0] not in names else "has several columns"
        raise Unusable(f"{label} {kind} {', '.join(odd)}")
    with reading(label):
        if _is_parquet(path):
            with pq.ParquetFile(path) as file:
                yield from file.iter_batches(_BATCH, columns=list(columns))
            return
        with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as file:
            for number in range(file.num_record_batches):
                batch = file.get_batch(number).select(list(columns))
                batch.validate(full=True)  # else offsets of a damaged file are believed
                yield batch


def columns(path: Path, names: Sequence[str]) -> dict[str, npt.NDArray]:
    """Return the numbers of a file's columns by name."""
    parts = list(batches(path, names))
    return {
        name: column(f"{path.name}/{name}", [part.column(name) for part in parts])
        for name in names
    }


def column(name: str, parts: Sequence[pa.Array]) -> npt.NDArray:
    """Return the numbers of the batches' arrays, one after the other."""
    arrays = [_values(name, part) for part in parts]
    if len({array.shape[1:] for array in arrays}) > 1:
        raise Unusable(f"{name} have lists of different lengths; expected equal ones")
    if not arrays:
        raise Unusable(f"{name} have no rows")
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _values(name: str, array: pa.Array) -> npt.NDArray:
    """Return the numbers of an array, ``(T,)`` or ``(T, n)``; lists of lists are laid flat."""
    array = array.storage if isinstance(array, pa.ExtensionArray) else array
    rows, nested = len(array), False
    while _is_list(array.type):
        nested = True
        _check_cells(name, array)
        if not pa.types.is_fixed_size_list(array.type) and len(array):
            lengths = pc.min_max(array.value_lengths()).as_py()
            if lengths["min"] != lengths["max"]:
                raise Unusable(f"{name} have lists of different lengths; expected equal ones")
        array = array.flatten()
    _check_cells(name, array)
    kind = array.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        raise Unusable(f"{name} have type {str(kind)[:40]}; expected numbers")
    flat: npt.NDArray = array.to_numpy(zero_copy_only=False)
    if flat.dtype.kind == "f":
        with np.errstate(over="ignore"):  # a float64 beyond float32 becomes inf
            flat = flat.astype(np.float32, copy=False)
    return flat.reshape(rows, -1) if nested and rows else flat


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == PARQUET


def _check_cells(name: str, array: pa.Array) -> None:
    if array.null_count:
        raise Unusable(f"{name} have cells without a value")


def _is_list(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))
