"""The rows of a file in D4RL's HDF5 layout; a file is not trusted before it was checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from qipo_ray.data.ends import OTHER_NAMES
from qipo_ray.data.faults import Unusable, quoted
from qipo_ray.data.hdf5 import DataFile
from qipo_ray.data.stored_array import StoredArray
from qipo_ray.data.tasks import Task
from qipo_ray.data.transitions import Dataset, Flags, Source

_REQUIRED = ("observations", "actions", "rewards", "terminals")
_OPTIONAL = ("timeouts", "next_observations", *OTHER_NAMES)
_FLAGS = ("terminals", "timeouts", *OTHER_NAMES)
_TABLES = ("observations", "actions", "next_observations")


def rows(file: DataFile, path: Path, task: Task, obtained: str) -> Dataset:
    """Return the rows of an open file in D4RL's layout; ``Unusable`` if it does not fit the task.

    Other members of the file (``infos``, a group or in kitchen a data set; ``metadata``) are never
    opened. Without ``timeouts``, ends under the names of other libraries (``ends``) are taken;
    without any they are counted as D4RL counts them, see ``counted_timeouts``.

    ``source`` is ``"d4rl"`` only where the SHA-256 is the catalogue's. A file's own attribute
    ``source`` is a claim: ``generated`` is believed, since it takes away; any other is a note, and
    the source is ``"other"``. ``"d4rl, unverified"`` came from D4RL's cache where no SHA-256 was
    published, ``"generated"`` from where generated data lies.

    Args:
        file: what ``opened`` yields.
        path: the file.
        task: the task that it must fit.
        obtained: how the file was found, the second part of ``find_dataset``'s answer.
    """
    columns = _checked_columns(file, task)
    arrays: dict[str, Any] = {key: _values(key, column) for key, column in columns.items()}
    source, notes = _source(file.source, obtained, file.sha256, task)
    others = {key: arrays.pop(key) for key in OTHER_NAMES if key in arrays}
    arrays["timeouts"], said = _timeouts(arrays, others, file.ends, task)
    notes += said
    largest = float(np.abs(arrays["actions"]).max())
    if task.own is None and largest > 1 + 1e-6:
        notes.append(f"actions reach {largest:.2f}, outside [-1, 1]; kept as they are")
    return Dataset(
        task_id=task.id,
        path=path,
        source=source,
        sha256=file.sha256,
        claim=file.source,
        rows=len(arrays["rewards"]),
        notes=tuple(notes),
        **{"next_observations": None, **arrays},
    )


def _timeouts(
    arrays: dict[str, Any], others: dict[str, Flags], unknown: tuple[str, ...], task: Task
) -> tuple[Flags, list[str]]:
    """Return the rows at which an episode is cut, ``(N,)``, and what must be said about them.

    ``others`` are columns under the names of other libraries, ``unknown`` names that look like
    ends and are not read. A row that is a terminal as well is no timeout.
    """
    terminals: Flags = arrays["terminals"]
    if "timeouts" in arrays:
        timeouts: Flags = arrays["timeouts"]
        more = {key: int((ends & ~terminals & ~timeouts).sum()) for key, ends in others.items()}
        return timeouts, [
            f"{key} marks {count:,} ends that are neither terminals nor timeouts; it is not read"
            for key, count in more.items()
            if count
        ]
    if others:
        cuts = np.logical_or.reduce([*others.values()]) & ~terminals
        return cuts, [
            f"the file has no timeouts: ends of episodes are those of {', '.join(others)}"
        ]
    if unknown:
        raise Unusable(
            f"has no timeouts, and {', '.join(map(quoted, unknown))} may mark the ends of "
            f"episodes; known names are timeouts, {', '.join(OTHER_NAMES)}: rename it or remove it"
        )
    note = f"the file has no timeouts: cut every {task.horizon} rows, as D4RL does"
    return counted_timeouts(terminals, task.horizon), [note]


def counted_timeouts(terminals: Flags, horizon: int) -> Flags:
    """Return the timeouts of a file that has none, ``(N,)``, by D4RL's own step count.

    D4RL counts 0, 1, ... and cuts at ``horizon - 1``; after a terminal it goes on at 1 instead of
    0, so that an episode there is cut one row early. Kept, so that rows equal D4RL's.
    """
    timeouts = np.zeros(len(terminals), dtype=np.bool_)
    start, count = 0, 0
    for stop in (*(np.flatnonzero(terminals) + 1), len(terminals)):
        timeouts[start + horizon - 1 - count : stop : horizon] = True
        start, count = stop, 0 if timeouts[stop - 1] else 1
    return timeouts


def _checked_columns(file: DataFile, task: Task) -> dict[str, StoredArray]:
    """Return the needed columns by key, checked by what they declare; nothing is read yet."""
    missing = [key for key in _REQUIRED if key not in file.arrays]
    if missing:
        held = ", ".join(map(quoted, file.names)) or "-"
        raise Unusable(f"misses {', '.join(missing)}; it holds {held}")
    keys = [*_REQUIRED, *(key for key in _OPTIONAL if key in file.arrays)]
    columns = {key: file.arrays[key] for key in keys}
    _check_shapes(columns, task)
    return columns


def _check_shapes(columns: dict[str, StoredArray], task: Task) -> None:
    table = columns["observations"].shape
    rows = table[0] if table else 0
    if rows < 2:
        raise Unusable(f"observations have shape {table}; expected at least two rows")
    state, action = task.sizes or (None, None)
    if table == (state, *columns["actions"].shape[1:]):
        raise Unusable(
            f"observations have shape {table}, rows and columns exchanged, as MATLAB writes them; "
            f"expected {table[::-1]}: transpose its arrays"
        )
    for key, column in columns.items():
        shape = column.shape
        if key not in _TABLES:
            # D4RL takes (N, 1) for (N,) as well.
            if shape not in ((rows,), (rows, 1)):
                raise Unusable(f"{key} have shape {shape}; expected ({rows},)")
            continue
        width = action if key == "actions" else state
        fits = len(shape) == 2 and shape[0] == rows and shape[1] > 0
        if not fits or width not in (None, shape[1]):
            raise Unusable(f"{key} have shape {shape}; expected ({rows}, {width or 'n'})")
    if "next_observations" in columns and columns["next_observations"].shape != table:
        raise Unusable("next_observations and observations differ in shape")


def _values(key: str, column: StoredArray) -> npt.NDArray:
    """Return one column, float32 or for flags bool; tables (N, n), the others (N,)."""
    if key in _FLAGS:
        return column.flags()
    values = column.floats()
    return values if key in _TABLES else values.reshape(-1)


def _source(claim: str | None, obtained: str, digest: str, task: Task) -> tuple[Source, list[str]]:
    """Return the source of a file and notes; that a file is D4RL's it cannot say itself."""
    if digest == task.sha256:
        return "d4rl", []
    notes = []
    if obtained == "d4rl" and task.sha256 is not None:
        notes = [f"SHA-256 differs from the published file's ({task.sha256[:12]}...)"]
    if claim in ("generated", "other"):
        return cast(Source, claim), notes
    if claim is not None and (claim, obtained) != ("d4rl", "d4rl"):
        return "other", [*notes, f"the file says source = {quoted(claim)}; nothing vouches for it"]
    if obtained == "d4rl":
        return ("other" if notes else "d4rl, unverified"), notes
    return cast(Source, obtained), notes
