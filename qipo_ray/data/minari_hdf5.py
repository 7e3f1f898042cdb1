"""Read a data set in Minari's HDF5 layout: one group for each episode; Minari is not needed.

Minari's sets with D4RL's names were made anew, in other simulators: they are no D4RL data, and are
read only where a path or ``minari:ID`` asks for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from qipo_ray.data.contents import EPISODE, Unusable
from qipo_ray.data.hdf5 import DataFile
from qipo_ray.data.minari_folder import name_of
from qipo_ray.data.stored_array import StoredArray
from qipo_ray.data.tasks import Task
from qipo_ray.data.transitions import Dataset

_COLUMNS = ("observations", "actions", "rewards", "terminations", "truncations")


def is_minari(file: DataFile) -> bool:
    """Say whether a file has Minari's layout."""
    return any(EPISODE.fullmatch(name.partition("/")[0]) for name in file.arrays)


def rows(file: DataFile, path: Path, task: Task) -> Dataset:
    """Return the episodes one after the other, with the exact next observation of each row.

    An episode that ends by neither a termination nor a truncation gets a timeout there, one that
    ends by both a terminal. The
    source is ``"minari"`` in Minari's own folder, else ``"other"``.
    """
    episodes = [(name, _columns(file.arrays, name, task)) for name in _names(file)]
    lengths = [columns["rewards"].shape[0] for _, columns in episodes]
    count, (state, action) = sum(lengths), _sizes(episodes[0][1])
    if count < 2:
        raise Unusable("holds fewer than two rows")
    observations = np.empty((count, state), np.float32)
    following = np.empty((count, state), np.float32)
    actions = np.empty((count, action), np.float32)
    rewards = np.empty(count, np.float32)
    terminals, timeouts = np.empty(count, np.bool_), np.empty(count, np.bool_)
    start = cut = 0
    for (_, columns), length in zip(episodes, lengths, strict=True):
        part = slice(start, start + length)
        states = np.empty((length + 1, state), np.float32)
        columns["observations"].floats(states)
        observations[part], following[part] = states[:-1], states[1:]
        columns["actions"].floats(actions[part])
        columns["rewards"].floats(rewards[part])
        columns["terminations"].flags(terminals[part])
        columns["truncations"].flags(timeouts[part])
        timeouts[part] &= ~terminals[part]  # at the last allowed step Gymnasium says both
        start += length
        cut += not (terminals[start - 1] or timeouts[start - 1])
        timeouts[start - 1] |= not terminals[start - 1]
    name = name_of(path)
    return Dataset(
        task_id=task.id,
        path=path,
        source="minari" if name else "other",
        sha256=file.sha256,
        rows=count,
        observations=observations,
        actions=actions,
        rewards=rewards,
        terminals=terminals,
        timeouts=timeouts,
        next_observations=following,
        notes=_notes(name, cut),
    )


def _notes(name: str | None, cut: int) -> tuple[str, ...]:
    notes = []
    if name:
        notes.append(f"Minari's {name}, made anew by Minari: not D4RL's file")
    if cut:
        notes.append(f"{cut} episodes end without an end; a timeout stands there")
    return tuple(notes)


def _names(file: DataFile) -> list[str]:
    groups = {name.partition("/")[0] for name in file.arrays}
    numbers = sorted(int(match[1]) for name in groups if (match := EPISODE.fullmatch(name)))
    if numbers != list(range(len(numbers))):
        raise Unusable(f"misses episodes: it has {len(numbers)}, the last one is {numbers[-1]}")
    return [f"episode_{number}" for number in numbers]


def _columns(arrays: Mapping[str, StoredArray], name: str, task: Task) -> dict[str, StoredArray]:
    """Return the columns of one episode, checked by what they declare."""
    missing = [key for key in _COLUMNS if f"{name}/{key}" not in arrays]
    if missing:
        raise Unusable(f"misses {', '.join(missing)} in {name}")
    columns = {key: arrays[f"{name}/{key}"] for key in _COLUMNS}
    steps = columns["rewards"].shape[0] if columns["rewards"].shape else 0
    state, action = task.sizes or _sizes(columns)
    shapes = {
        "observations": (steps + 1, state),
        "actions": (steps, action),
        "rewards": (steps,),
        "terminations": (steps,),
        "truncations": (steps,),
    }
    for key, shape in shapes.items():
        if columns[key].shape != shape or not steps:
            raise Unusable(f"{name}/{key} have shape {columns[key].shape}; wanted is {shape}")
    return columns


def _sizes(columns: Mapping[str, StoredArray]) -> tuple[int, int]:
    """Return the numbers of an observation and of an action of an episode, 0 where it has none."""
    first, second = (columns[key].shape[1:] for key in ("observations", "actions"))
    return (first[0] if first else 0), (second[0] if second else 0)
