"""From a task id to its data, in one call."""

from __future__ import annotations

from pathlib import Path

from qipo_ray.data.d4rl_hdf5 import read
from qipo_ray.data.locate import find_dataset
from qipo_ray.data.tasks import get_task
from qipo_ray.data.transitions import Dataset


def load(task_id: str, path: str | Path | None = None) -> Dataset:
    """Return the data of a task from ``path`` or from where ``find_dataset`` looks.

    Raises:
        UserError: unknown task, no file, or a file that cannot be used; the line says why.
    """
    task = get_task(task_id)
    found, obtained = find_dataset(task, path)
    return read(found, task, obtained=obtained)
