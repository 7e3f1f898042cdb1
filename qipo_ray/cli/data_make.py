"""``qipo-ray data make``: generated data, the same bytes for the same seed."""

from __future__ import annotations

from pathlib import Path

from qipo_ray.cli import output as out
from qipo_ray.data.locate import generated_path
from qipo_ray.data.tasks import get_task
from qipo_ray.errors import UserError
from qipo_ray.evaluation.generate import generate


def make(task: str, rows: int | None, seed: int | None, output: Path | None) -> None:
    """Write a task's data to ``output``, or to the data cache."""
    cache = generated_path(get_task(task))
    if output is None and (rows is not None or seed is not None):
        # The cache holds the one data set that the task's name stands for.
        raise UserError("--rows and --seed make another data set: name its file with --output")
    path = output or cache
    if path.exists():
        raise UserError(f"{path} exists; remove it first, or choose another --output")
    with out.writing(path), out.progress(f"generating {task}") as report:
        generate(task, path, rows=rows, seed=seed or 0, progress=report)
    out.remark(f"wrote {path}")
