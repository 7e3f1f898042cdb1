"""Rows of another format into one file of D4RL's layout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import h5py
import numpy as np

from qipo_ray.data.faults import Unusable, quoted
from qipo_ray.data.imports.ogbench import Goal
from qipo_ray.data.imports.recording import Columns, Recording
from qipo_ray.data.imports.sources import recording_of
from qipo_ray.data.load import read
from qipo_ray.data.new_file import new_file
from qipo_ray.data.tasks import Task
from qipo_ray.errors import UserError
from qipo_ray.version import __version__

_CHUNK = 2**20  # bytes of a chunk in the file
_GATHER = 20_000  # rows that are written at once

Progress = Callable[[int, int], None]  # (steps done, all steps)


def import_data(
    source: str,
    path: Path,
    task: Task | None,
    parts: Sequence[str],
    goal: Goal | None,
    progress: Progress,
) -> tuple[int, list[str]]:
    """Return the rows that were written into ``path``, and what must be said of them.

    ``parts`` and ``goal`` are those of ``recording_of``. Equal sources give equal bytes. With a
    task the file is read once more, before it gets its name, and held to the task.

    Raises:
        UserError: no such source, one that cannot be used, or a file that does not fit the task.
    """
    try:
        held = recording_of(source, parts, goal)
        with new_file(path, lambda whole: _check(whole, held, source, task)) as file:
            rows = _write(file, held, progress)
            file.attrs["source"] = held.origin
            file.attrs["importer"] = f"qipo_ray {__version__}"
    except Unusable as error:
        raise UserError(" ".join(f"{source}: {error}".split())) from None
    return rows, held.notes


def _check(path: Path, held: Recording, source: str, task: Task | None) -> None:
    """Hold the written file to its task, and take over what is to be said of it."""
    if task is None:
        return
    try:
        notes = read(path, task).notes
    except UserError as error:
        raise UserError(str(error).replace(f"data file {path}", source)) from None
    held.notes += [note for note in notes if quoted(held.origin) not in note]


def _write(file: h5py.File, held: Recording, progress: Progress) -> int:
    """Write all pieces, and return how many rows they have."""
    rows, waiting, count = 0, list[Columns](), 0
    for piece in held.pieces:
        waiting.append(piece)
        count += len(piece["rewards"])
        if count >= _GATHER:
            rows, waiting, count = _append(file, waiting, rows), [], 0
            progress(rows, max(rows, held.steps or 0))
    if waiting:
        rows = _append(file, waiting, rows)
    if rows < 2:
        raise Unusable("holds fewer than two rows")
    progress(rows, rows)
    return rows


def _append(file: h5py.File, pieces: Sequence[Columns], rows: int) -> int:
    """Write pieces behind the ``rows`` that are there, and return how many there are now."""
    for name in pieces[0]:
        widths = {piece[name].shape[1:] for piece in pieces}
        if name in file:
            widths.add(file[name].shape[1:])
        if len(widths) > 1:
            listed = " and ".join(str(width[0]) for width in sorted(widths))
            raise Unusable(f"{name} have {listed} numbers a row; expected equally many")
        arrays = [piece[name] for piece in pieces]
        block = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
        if name not in file:
            length = max(1, _CHUNK // (block.nbytes // len(block)))
            file.create_dataset(
                name,
                shape=(0, *block.shape[1:]),
                maxshape=(None, *block.shape[1:]),
                chunks=(length, *block.shape[1:]),
                dtype=block.dtype,
            )
        file[name].resize(rows + len(block), axis=0)
        file[name][rows:] = block
    return rows + len(block)
