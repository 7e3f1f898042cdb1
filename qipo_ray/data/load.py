"""From a task id to its data, in one call."""

from __future__ import annotations

from pathlib import Path

from qipo_ray.data import d4rl_hdf5, minari_hdf5
from qipo_ray.data.hdf5 import opened
from qipo_ray.data.locate import find_dataset
from qipo_ray.data.tasks import get_task
from qipo_ray.data.transitions import Dataset


def load(task_id: str, path: str | Path | None = None) -> Dataset:
    """Return the data of a task from ``path`` or from where ``find_dataset`` looks.

    The layout, D4RL's or Minari's, is the file's own.

    Raises:
        UserError: unknown task, no file, or a file that cannot be used; the line says why.
    """
    task = get_task(task_id)
    data_path, obtained = find_dataset(task, path)
    with opened(data_path, task) as file:
        if minari_hdf5.is_minari(file):
            return minari_hdf5.rows(file, data_path, task)
        return d4rl_hdf5.rows(file, data_path, task, obtained)
