"""``qipo-ray data import``: data in another format as one file that every verb reads."""

from __future__ import annotations

from pathlib import Path

from qipo_ray.cli import output as out
from qipo_ray.cli.prepare import check_file
from qipo_ray.data.imports.ogbench import goal_of
from qipo_ray.data.imports.writer import import_data
from qipo_ray.errors import UserError
from qipo_ray.study.task_file import find_task


def import_(
    source: str, to: Path, task: str | None, parts: str | None, rewards: str | None
) -> None:
    """Write the rows of ``source`` into a new file, and say what came."""
    file_task = find_task(task) if task else None
    if to.exists():
        raise UserError(f"{to} exists; remove it first, or choose another --to")
    check_file(to)
    names = [part.strip() for part in parts.split(",")] if parts else []
    goal = goal_of(rewards) if rewards else None
    with out.writing(to), out.progress(f"importing {source}") as report:
        rows, notes = import_data(source, to, file_task, names, goal, report)
    for note in notes:
        out.remark(f"note: {note}")
    out.remark(f"wrote {to}: {rows:,} rows")
