"""Where the file of a task lies on this machine."""

from __future__ import annotations

import os
from pathlib import Path

from qipo_ray.data import minari_folder
from qipo_ray.data.faults import import_first
from qipo_ray.data.tasks import BUCKETS, GENERATORS, MINARI, Task
from qipo_ray.errors import UserError


def find_dataset(task: Task, path: str | Path | None = None) -> tuple[Path, str]:
    """Return the file of a task and how it was obtained.

    That is ``"d4rl"`` or ``"ogbench"`` (lies in its cache), ``"minari"``, ``"generated"`` or
    ``"other"``.

    An explicit path wins, before the one in an own task's file. It may be the folder of a Minari
    data set, or ``minari:ID`` for one in Minari's own folder. An id of D4RL or OGBench is looked
    up in ``published_path``, a generated task at ``generated_path``; neither these nor Minari's
    sets ever stand in for one another.

    Raises:
        UserError: no file there; the line names the task, the path and what to do.
    """
    if task.own is not None:
        path = path or task.own.data
        if path is None:
            raise UserError(f"no data for task {task.id}: add `data:` to its file, or --data FILE")
    if path is not None:
        if str(path).startswith(BUCKETS):
            raise UserError(
                f"{path} for task {task.id} is in a bucket: only `sweep`, `train` and `reproduce` "
                "fetch it from there, all others want a file on this machine"
            )
        if by_id := str(path).startswith(MINARI):
            folder = minari_folder.path_of(str(path).removeprefix(MINARI))
        else:
            folder = Path(path).expanduser()
        file = minari_folder.in_folder(folder)
        if file.is_dir():
            raise UserError(
                f"{file} is a folder; wanted for task {task.id} is an HDF5 file, or the folder of "
                f"a Minari data set that is kept in HDF5; {import_first(path)}"
            )
        if by_id:
            return file, "minari"
        if not file.is_file():
            reason = "is not a plain file" if file.exists() else "does not exist"
            raise UserError(f"data file {file} for task {task.id} {reason}; {_origin(task)}")
        return file, "other"
    if task.filename is None:
        return _generated(task)
    file = published_path(task, task.filename)
    if file.is_file():
        return file, "ogbench" if task.family == "ogbench" else "d4rl"
    raise UserError(f"no data for task {task.id}: {file} does not exist; {_origin(task)}")


def _origin(task: Task) -> str:
    """Say where a task's data come from, and how to get generated data instead."""
    if task.own is not None:
        return "give another with --data, or as `data:` in its file"
    if task.filename is None:
        return _way_out(task.id)
    size = f" ({task.bytes / 1e6:,.1f} MB)" if task.bytes else ""
    owner = "OGBench" if task.family == "ogbench" else "D4RL"
    return (
        f"{owner}'s file is {task.url}{size}: `qipo-ray data get {task.id}`; "
        f"generated instead: {_way_out(task.id.rpartition('-v')[0])}"
    )


def d4rl_cache() -> Path:
    """Return D4RL's cache folder, ``$D4RL_DATASET_DIR`` or ``~/.d4rl/datasets``."""
    return Path(os.environ.get("D4RL_DATASET_DIR") or "~/.d4rl/datasets").expanduser()


def published_path(task: Task, name: str) -> Path:
    """Return where a published file of a task lies: the cache of its own package."""
    ogbench = Path("~/.ogbench/data").expanduser()
    return (ogbench if task.family == "ogbench" else d4rl_cache()) / name


def data_cache() -> Path:
    """Return the folder of what this project makes, ``$QIPO_DATA`` or ``~/.cache/qipo_ray``."""
    return Path(os.environ.get("QIPO_DATA") or "~/.cache/qipo_ray").expanduser()


def generated_path(task: Task) -> Path:
    """Return a generated task's data file in ``data_cache``; OGBench's tasks share theirs."""
    if task.family == "ogbench":
        return data_cache() / f"{task.group}-generated-v1.npz"
    return data_cache() / f"{task.id}-generated-v1.hdf5"


def _generated(task: Task) -> tuple[Path, str]:
    file = generated_path(task)
    if file.is_file():
        return file, "generated"
    raise UserError(f"no data for task {task.id}: {file} does not exist; {_way_out(task.id)}")


def _way_out(twin: str) -> str:
    """Say how to get generated data of ``twin``, or that this version makes none."""
    if twin in GENERATORS:
        return f"make it with `qipo-ray data make {twin}`, then use task {twin}"
    return (
        f"this version has no generator for {twin}; `qipo-ray data make TASK` makes "
        f"{', '.join(GENERATORS)}"
    )
