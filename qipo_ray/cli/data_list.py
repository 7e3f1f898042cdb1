"""``qipo-ray data list``: which tasks there are, and which data are here."""

from __future__ import annotations

import json as json_format
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qipo_ray.cli import output as out
from qipo_ray.errors import UserError, nearest

if TYPE_CHECKING:
    from qipo_ray.data.tasks import Task


def list_tasks(
    family: Annotated[
        str | None, typer.Option("--family", help="Only this family, such as locomotion.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the page docs/tasks.md, of all tasks.")
    ] = False,
) -> None:
    """List the tasks with their reference scores, and which data are on this machine."""
    from qipo_ray.data.tasks import get_task, task_ids

    if markdown:
        from qipo_ray.data.page import tasks_page

        if json or family:
            raise UserError("--markdown prints the whole page: without --json and --family")
        out.write(tasks_page())
        return
    tasks = [get_task(name) for name in task_ids()]
    families = sorted({task.family for task in tasks})
    if family is not None and family not in families:
        hint = nearest(family, families)
        raise UserError(f"no family {family!r}{hint}; there are {', '.join(families)}")
    chosen = [task for task in tasks if family in (None, task.family)]
    found = [_found(task) for task in chosen]
    if json:
        rows = [
            asdict(task) | {"path": str(path) if path else None}
            for task, path in zip(chosen, found, strict=True)
        ]
        out.write(json_format.dumps(rows, indent=2))
        return
    out.print_rows(
        ["task", "family", "simulator", "horizon", "references", "data", "here"],
        [_task_cells(task, path) for task, path in zip(chosen, found, strict=True)],
        numbers=[False, False, False, True, True, True, False],
    )


def _found(task: Task) -> Path | None:
    """Return where a task's data lie on this machine, or None."""
    from qipo_ray.data.locate import find_dataset

    try:
        return find_dataset(task)[0]
    except UserError:
        return None


def _task_cells(task: Task, path: Path | None) -> list[str]:
    size = f"{task.bytes / 1e6:.0f} MB" if task.bytes else "?"
    return [
        task.id,
        task.family,
        task.simulator,
        str(task.horizon),
        f"{task.ref_min:.4g} … {task.ref_max:.4g}",
        "generated" if task.generated else size,
        "yes" if path else "no",
    ]
