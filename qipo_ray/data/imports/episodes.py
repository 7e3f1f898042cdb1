"""Files of arrays, NumPy's ``.npz`` or Parquet: one with all rows, or a folder of episodes."""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from qipo_ray.data.faults import Damaged, Unusable, quoted
from qipo_ray.data.imports import arrow_columns, ogbench
from qipo_ray.data.imports.ogbench import Goal
from qipo_ray.data.imports.recording import (
    FLAGS,
    READ,
    Columns,
    Recording,
    check_names,
    flags,
    from_columns,
    table,
    vector,
)

_LARGEST = 32 * 2**30  # bytes of one file's arrays
_PIECE = 100_000  # rows
# From numpy, zipfile and zlib.
_DAMAGE = (
    OSError, RuntimeError, LookupError, ValueError, TypeError, EOFError, MemoryError, SyntaxError,
    OverflowError, struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def read_file(path: Path, kind: str) -> Recording:
    """Return the rows of one file with columns of D4RL's names, ends as they are marked there.

    ``kind`` is one of ``READERS``.
    """
    return Recording(f"{path.name}, imported", _rows(path.name, READERS[kind](path)))


def read_folder(path: Path) -> Recording:
    """Return the episodes of a folder, one a file, in the order of the numbers in their names."""
    held = [file for file in path.iterdir() if file.suffix in READERS]
    kinds = sorted({file.suffix for file in held})
    if len(kinds) != 1:
        raise Unusable(
            f"holds {' and '.join(kinds) or 'no episodes'}; expected a folder of episodes in one "
            f"format, {' or '.join(READERS)}"
        )
    files = sorted(held, key=_natural)
    pieces = (from_columns(file.name, READERS[file.suffix](file)) for file in files)
    return Recording(f"{path.name}, {len(files):,} episodes in {kinds[0]}, imported", pieces)


def _natural(path: Path) -> list[tuple[int, str]]:
    """Return a key by which ``episode_2`` comes before ``episode_10``."""
    return [(int(part or 0), text) for text, part in re.findall(r"(\D*)(\d*)", path.stem)]


def _rows(label: str, held: Columns) -> Iterator[Columns]:
    if "terminals" not in held:
        raise Unusable(f"{label} misses terminals")
    columns: Columns = {}
    for name in list(held):
        values = held.pop(name)  # so that two copies of one column are held, not of all
        if name in FLAGS:
            columns[name] = flags(name, values)
        else:
            columns[name] = vector(name, values) if name == "rewards" else table(name, values)
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length:,}" for name, length in lengths.items())
        raise Unusable(f"has columns of different lengths: {listed}")
    for start in range(0, lengths["rewards"], _PIECE):
        yield {name: values[start : start + _PIECE] for name, values in columns.items()}


def read_ogbench(path: Path, goal: Goal) -> Recording:
    """Return the trajectories of a file of OGBench's with the rewards of a single task."""
    return ogbench.read(path, _npz(path, goal), goal)


def _npz(path: Path, goal: Goal | None = None) -> Columns:
    """Return the arrays of an archive; Python objects in it are never opened."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > _LARGEST:
            raise Unusable(
                f"declares {size / 1e9:,.1f} GB; at most {_LARGEST / 1e9:,.1f} are read"
            )
        with np.load(path, allow_pickle=False) as arrays:
            if goal is None:
                _check_rewards(path.name, arrays.files)
                check_names(path.name, arrays.files)
                return {name: arrays[name] for name in arrays.files if name in READ}
            ogbench.check_names(path.name, arrays.files, goal)
            read = (*ogbench.REQUIRED, ogbench.BUTTONS)
            return {name: arrays[name] for name in read if name in arrays.files}
    except _DAMAGE as error:
        if "allow_pickle" in str(error):
            raise Unusable(f"{path.name} holds Python objects, which are never opened") from error
        raise Damaged(f"{path.name} is damaged ({quoted(str(error))})") from error


def _check_rewards(label: str, names: Sequence[str]) -> None:
    if "qpos" in names and "rewards" not in names:
        raise Unusable(
            f"{label} has no rewards: for a file of OGBench's, name a single task of it, such as "
            "--rewards cube-single-singletask-v0"
        )


def _parquet(path: Path) -> Columns:
    names = arrow_columns.names_of(path)
    check_names(path.name, names)
    return arrow_columns.columns(path, [name for name in names if name in READ])


READERS: dict[str, Callable[[Path], Columns]] = {".npz": _npz, ".parquet": _parquet}
