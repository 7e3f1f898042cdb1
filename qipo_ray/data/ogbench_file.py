"""The rows of a file of OGBench's, with the rewards of one of its single tasks."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from qipo_ray.data.faults import Unusable
from qipo_ray.data.hdf5 import identity, sha256_of
from qipo_ray.data.imports.episodes import read_ogbench
from qipo_ray.data.imports.ogbench import goal_of
from qipo_ray.data.tasks import Task
from qipo_ray.data.transitions import Dataset, Source
from qipo_ray.errors import UserError

MARK = "generated"  # an array of this name is in the files that this project makes


def is_archive(path: Path) -> bool:
    """Return whether a file begins as an ``.npz`` does; a worker's copy has another name."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except OSError:
        return False


def rows(path: Path, task: Task, obtained: str) -> Dataset:
    """Return the rows of a file for a task; ``obtained`` says how it was found.

    A trajectory goes on after its goal; its last step is a timeout, unless it is a terminal.
    Nobody has published a SHA-256, so nothing vouches for a file.

    Raises:
        UserError: one line with the file, the task and the cause.
    """
    try:
        with path.open("rb") as file:
            before, digest = path.stat(), sha256_of(file.fileno())
        held = read_ogbench(path, goal_of(task.simulator))
        pieces = list(held.pieces)
        arrays: dict[str, Any] = {
            name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]
        }
        _check_sizes(arrays, task)
        generated = f"{MARK}.npy" in zipfile.ZipFile(path).namelist()
        if identity(path.stat()) != identity(before):
            raise Unusable("changed while it was read; try again")
    except OSError as error:
        raise UserError(f"data file {path} cannot be read: {error.strerror or error}") from error
    except Unusable as error:
        text = f"data file {path} for task {task.id}: {error}"
        raise UserError(" ".join(text.split())) from None
    return Dataset(
        task_id=task.id,
        path=path,
        source=_source(obtained, generated),
        sha256=digest,
        claim=MARK if generated else None,
        rows=len(arrays["rewards"]),
        notes=tuple(held.notes),
        **arrays,
    )


def _source(obtained: str, generated: bool) -> Source:
    """Return the source of a file: that it was made here it can say, since that takes away."""
    if generated or obtained == "generated":
        return "generated"
    return "ogbench, unverified" if obtained == "ogbench" else "other"


def _check_sizes(arrays: Mapping[str, Any], task: Task) -> None:
    for name, size in zip(("observations", "actions"), task.sizes or (), strict=False):
        width = arrays[name].shape[1]
        if width != size:
            raise Unusable(f"{name} have {width} numbers a row; wanted are {size}")
