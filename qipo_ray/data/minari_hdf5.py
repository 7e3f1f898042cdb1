"""Read a data set in Minari's HDF5 layout: one group for each episode; Minari is not needed.

Minari's sets with D4RL's names were made anew, in other simulators: they are no D4RL data, and are
read only where a path or ``minari:ID`` asks for them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from qipo_ray.data.contents import EPISODE_KEYS
from qipo_ray.data.faults import Unusable, import_first, quoted
from qipo_ray.data.hdf5 import DataFile
from qipo_ray.data.minari_folder import name_of
from qipo_ray.data.stored_array import StoredArray
from qipo_ray.data.tasks import Task
from qipo_ray.data.transitions import Dataset

Lengths = npt.NDArray[np.int64]


def is_minari(file: DataFile) -> bool:
    """Say whether a file has Minari's layout."""
    return any(array.lengths is not None for array in file.arrays.values())


def rows(file: DataFile, path: Path, task: Task) -> Dataset:
    """Return the episodes one after the other, with the exact next observation of each row.

    An episode that ends by neither a termination nor a truncation gets a timeout there, one that
    ends by both a terminal. The source is ``"minari"`` in Minari's own folder, else ``"other"``.
    """
    parts = [name for name in file.arrays if "/" in name]
    if parts:
        raise Unusable(
            f"has observations or actions in parts ({', '.join(map(quoted, parts[:4]))}); "
            + import_first(path.parents[1])
        )
    lengths = _lengths(file.arrays, task)
    states, actions, rewards = (file.arrays[key].floats() for key in EPISODE_KEYS[:3])
    terminals, timeouts = (file.arrays[key].flags() for key in EPISODE_KEYS[3:])
    timeouts &= ~terminals  # at the last allowed step Gymnasium says both
    last = np.cumsum(lengths) - 1
    cut = last[~(terminals | timeouts)[last]]
    timeouts[cut] = True
    after = last + np.arange(1, len(lengths) + 1)  # the rows of the states that follow an episode
    name = name_of(path)
    return Dataset(
        task_id=task.id,
        path=path,
        source="minari" if name else "other",
        sha256=file.sha256,
        rows=len(rewards),
        observations=np.delete(states, after, axis=0),
        actions=actions,
        rewards=rewards.reshape(-1),
        terminals=terminals,
        timeouts=timeouts,
        next_observations=np.delete(states, after - lengths, axis=0),
        notes=_notes(name, len(cut)),
    )


def _notes(name: str | None, cut: int) -> tuple[str, ...]:
    notes = []
    if name:
        notes.append(f"Minari's {name}, made anew by Minari: not D4RL's file")
    if cut:
        notes.append(f"{cut} episodes end without an end; a timeout stands there")
    return tuple(notes)


def _lengths(arrays: dict[str, StoredArray], task: Task) -> Lengths:
    """Return the steps of each episode, after a look at what the arrays declare."""
    declared = {key: array.lengths for key, array in arrays.items() if array.lengths is not None}
    lengths = declared["rewards"]
    if lengths.sum() < 2:
        raise Unusable("holds fewer than two rows")
    widths = dict(zip(("observations", "actions"), task.sizes or (None, None), strict=True))
    for key, steps in declared.items():
        row, wanted = arrays[key].shape[1:], lengths + (key == "observations")
        # (T, 1) for (T,), as in D4RL's layout; an id outside the table may have any width.
        width = (widths[key] or (*row, 1)[0] or 1,) if key in widths else ()
        fits = row == width or (key not in widths and row == (1,))
        wrong = (steps != wanted) | (lengths < 1) | (not fits)
        if wrong.any():
            episode = int(np.argmax(wrong))
            shape = (int(steps[episode]), *row)
            expected = (int(wanted[episode]), *width)
            raise Unusable(f"episode_{episode}/{key} have shape {shape}; expected {expected}")
    return lengths
