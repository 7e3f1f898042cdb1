"""``qipo-ray data list``: which tasks there are, and which data are here."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from qipo_ray.cli import output as out
from qipo_ray.data.locate import find_dataset
from qipo_ray.data.page import tasks_page
from qipo_ray.data.tasks import Task, get_task, task_ids
from qipo_ray.errors import UserError, nearest
from qipo_ray.study.task_file import packaged_tasks


def list_tasks(family: str | None, json: bool, markdown: bool) -> None:
    """Print the tasks, of one family or of all, with their data on this machine."""
    if markdown:
        if json or family:
            raise UserError("--markdown prints the whole page: without --json and --family")
        out.write(tasks_page())
        return
    named = {name: get_task(name) for name in task_ids()}
    for name, packaged in packaged_tasks().items():
        if isinstance(packaged, UserError):
            out.remark(f"left out: {packaged}")
        elif name not in named:
            named[name] = packaged
    tasks = list(named.values())
    families = sorted({task.family for task in tasks})
    if family is not None and family not in families:
        hint = nearest(family, families)
        raise UserError(f"no family {family!r}{hint}; there are {', '.join(families)}")
    chosen = {name: task for name, task in named.items() if family in (None, task.family)}
    paths = [_local_path(task) for task in chosen.values()]
    if json:
        rows = [
            {key: value for key, value in asdict(task).items() if key != "own"}
            | {"path": str(path) if path else None, "has_generator": task.has_generator}
            | {"file": task.own.file if task.own else None}
            for task, path in zip(chosen.values(), paths, strict=True)
        ]
        out.print_json(rows)
        return
    out.print_rows(
        ["task", "family", "simulator", "horizon", "references", "data", "here"],
        [_cells(*named, path) for named, path in zip(chosen.items(), paths, strict=True)],
        numbers=[False, False, False, True, True, True, False],
    )


def _local_path(task: Task) -> Path | None:
    """Return where a task's data lie on this machine, or None."""
    try:
        return find_dataset(task)[0]
    except UserError:
        return None


def _cells(name: str, task: Task, path: Path | None) -> list[str]:
    """Return a task's row; one of an installed package has no family, and says so."""
    size = f"{task.bytes / 1e6:.0f} MB" if task.bytes else "?"
    return [
        name,
        "(installed)" if task.own else task.family,
        task.simulator,
        str(task.horizon),
        f"{task.ref_min:.4g} … {task.ref_max:.4g}",
        ("generated" if task.has_generator else "none") if task.generated else size,
        "yes" if path else "no",
    ]
