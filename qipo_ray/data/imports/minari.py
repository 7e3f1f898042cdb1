"""Minari's data sets in HDF5, Arrow and Parquet, read without Minari.

Minari 0.5.4 reads Arrow and Parquet wrongly: of an episode beyond 32,767 rows it returns the
first, and the rest in place of the next episode; and it drops the last step, with the end, of an
episode that was written with as many observations as actions (``findings/minari-arrow.sh``). So
the files are read here, each episode by its own folder.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from qipo_ray.data.faults import Unusable
from qipo_ray.data.hdf5 import DataFile, opened
from qipo_ray.data.imports import arrow_columns
from qipo_ray.data.imports.recording import Columns, Recording, episode, flags, json_of
from qipo_ray.data.imports.spaces import Part, parts_of

_BLOCK = 50_000  # rows of an HDF5 file that are handed out at once

Lengths = npt.NDArray[np.int64]

_FLAGS = ("terminations", "truncations")


def read(data: Path, chosen: Sequence[str]) -> Recording:
    """Return the episodes of a set whose files lie in the folder ``data``.

    ``chosen`` are the parts of a dictionary of observations, in this order; none for all.
    """
    metadata = json_of(data / "metadata.json")
    observed = parts_of(metadata, "observation_space", chosen)
    acted = parts_of(metadata, "action_space")
    form = metadata.get("data_format", "hdf5")
    steps = metadata.get("total_steps")
    steps = steps if isinstance(steps, int) else None
    notes = []
    if combined := metadata.get("combined_datasets"):
        notes.append(
            f"Minari combined it from {', '.join(map(str, combined))}: episodes that were "
            "filtered out before are in it again"
        )
    name = str(metadata.get("dataset_id") or data.parent.name)[:100]
    count = metadata.get("total_episodes")
    origin = f"Minari's {name} ({form})"
    if form == "hdf5":
        episodes = _from_hdf5(data / "main_data.hdf5", observed, acted, notes, count)
    elif form in ("arrow", "parquet"):
        episodes = _from_tables(data, form, observed, acted, notes, count)
    else:
        raise Unusable(f"is kept as {str(form)[:40]!r}; expected hdf5, arrow or parquet")
    return Recording(origin, episodes, steps, notes)


def _check_count(held: int, declared: object) -> None:
    if declared not in (None, held):
        raise Unusable(f"has {held:,} episodes; its metadata.json says {declared}")


def _from_tables(
    data: Path,
    form: str,
    observed: Sequence[Part],
    acted: Sequence[Part],
    notes: list[str],
    count: object,
) -> Iterator[Columns]:
    numbers = sorted(int(path.name) for path in data.iterdir() if path.name.isdecimal())
    if not numbers or numbers[-1] != len(numbers) - 1:
        raise Unusable(f"misses episodes: it has {len(numbers)}, the last one is {numbers[-1:]}")
    _check_count(len(numbers), count)
    short = 0
    for number in numbers:
        label = f"episode_{number}"
        columns, steps = _table_episode(data / str(number), form, observed, acted)
        short += len(columns["observations"]) == steps
        acts, rewards = (columns[key][:steps] for key in ("actions", "rewards"))
        terminals, cuts = (flags(f"{label}/{key}", columns[key][:steps]) for key in _FLAGS)
        yield episode(label, columns["observations"], acts, rewards, terminals, cuts)
    _say_short(short, notes)


def _table_episode(
    folder: Path, form: str, observed: Sequence[Part], acted: Sequence[Part]
) -> tuple[Columns, int]:
    """Return the columns of an episode, padded as they are stored, and its steps."""
    files = sorted(folder.glob(f"*.{form}"), key=lambda path: (len(path.name), path.name))
    if not files:
        raise Unusable(f"misses {folder.name}/part-0.{form}")
    keys = ("observations", "actions", "rewards", *_FLAGS)
    label = f"episode_{folder.name}"
    read = [batch for file in files for batch in arrow_columns.batches(file, keys)]
    columns: Columns = {}
    for key, parts in (("observations", observed), ("actions", acted)):
        arrays = [_part(f"{label}/{key}", [batch.column(key) for batch in read], p) for p in parts]
        columns[key] = arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=1)
    for key in keys[2:]:
        columns[key] = arrow_columns.column(
            f"{label}/{key}", [batch.column(key) for batch in read]
        )
    steps, rows = json_of(folder / "metadata.json").get("total_steps"), len(columns["rewards"])
    if not isinstance(steps, int) or rows - 1 > steps or steps > rows:
        raise Unusable(
            f"{label} has {rows:,} rows, and its metadata.json says total_steps = {steps}; "
            "expected as many, or one more"
        )
    return columns, steps


def _part(name: str, arrays: Sequence[pa.Array], part: Part) -> npt.NDArray:
    for key in part.path:
        name = f"{name}/{key}"
        if any(not pa.types.is_struct(array.type) for array in arrays):
            raise Unusable(f"{name} is not there: metadata.json has parts that the files lack")
        if any(array.type.get_field_index(key) < 0 for array in arrays):
            raise Unusable(f"{name} is not there")
        arrays = [array.field(key) for array in arrays]
    rows = arrow_columns.column(name, arrays)
    flat = rows.reshape(len(rows), -1)
    if flat.shape[1] != part.width:
        raise Unusable(f"{name} have {flat.shape[1]} numbers a row; its space has {part.width}")
    return flat


def _from_hdf5(
    path: Path, observed: Sequence[Part], acted: Sequence[Part], notes: list[str], count: object
) -> Iterator[Columns]:
    with opened(path, None) as file:
        steps, lengths = _lengths(file, _member("observations", observed[0]))
        _check_count(len(steps), count)
        states = _joined(file, "observations", observed)
        acts = _joined(file, "actions", acted)
        rewards = file.arrays["rewards"].floats()
        terminals, cuts = (file.arrays[key].flags() for key in _FLAGS)
    _say_short(int((lengths == steps).sum()), notes)
    last = np.cumsum(steps) - 1
    cuts &= ~terminals
    cuts[last] |= ~terminals[last]
    # Of each row its place in `states`, and that of what followed, if there is one.
    at = np.arange(len(rewards)) + np.repeat(
        np.cumsum(lengths) - lengths - last - 1 + steps, steps
    )
    after = np.minimum(at + 1, np.repeat(np.cumsum(lengths) - 1, steps))
    for start in range(0, len(rewards), _BLOCK):
        rows = slice(start, start + _BLOCK)
        yield {
            "observations": states[at[rows]],
            "actions": acts[rows],
            "rewards": rewards[rows].reshape(-1),
            "terminals": terminals[rows],
            "timeouts": cuts[rows],
            "next_observations": states[after[rows]],
        }


def _lengths(file: DataFile, first: str) -> tuple[Lengths, Lengths]:
    """Return the steps of each episode, and how many observations it has, ``(E,)``."""
    declared = {k: a.lengths for k, a in file.arrays.items() if a.lengths is not None}
    missing = [name for name in ("rewards", first) if name not in declared]
    if missing:
        raise Unusable(f"misses {', '.join(missing)} in its episodes")
    steps, lengths = declared["rewards"], declared[first]
    for name, counts in declared.items():
        wanted = lengths if name.partition("/")[0] == "observations" else steps
        if not np.array_equal(wanted, counts):
            number = int(np.argmax(wanted != counts))
            raise Unusable(
                f"episode_{number}/{name} have {counts[number]:,} rows; expected "
                f"{wanted[number]:,}"
            )
    for name in ("rewards", *_FLAGS):
        row = file.arrays[name].shape[1:]
        if row not in ((), (1,)):
            raise Unusable(f"{name} have rows of shape {row}; expected one number a row")
    odd = (steps < 1) | ~np.isin(lengths - steps, (0, 1))
    if odd.any():
        number = int(np.argmax(odd))
        raise Unusable(
            f"episode_{number}/{first} have {lengths[number]:,} rows; expected "
            f"{steps[number]:,}, the steps, or one more"
        )
    return steps, lengths


def _joined(file: DataFile, key: str, parts: Sequence[Part]) -> npt.NDArray[np.float32]:
    """Return the parts side by side, ``(rows, n)``, of all episodes."""
    arrays = []
    for part in parts:
        name = _member(key, part)
        if name not in file.arrays:
            raise Unusable(f"episode_0/{name} is not there")
        array = file.arrays[name]
        width = math.prod(array.shape[1:])
        if width != part.width:
            raise Unusable(f"{name} have {width} numbers a row; its space has {part.width}")
        arrays.append(array.floats().reshape(-1, width))
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=1)


def _member(key: str, part: Part) -> str:
    return "/".join((key, *part.members))


def _say_short(count: int, notes: list[str]) -> None:
    if count:
        notes.append(
            f"{count:,} episodes have no observation after their last action; where that is no "
            "terminal, the last step is not trained on"
        )
