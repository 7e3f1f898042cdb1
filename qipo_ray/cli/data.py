"""``qipo-ray data``: which tasks there are, what a file holds, and generated data."""

from __future__ import annotations

import json as json_format
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qipo_ray.cli import download
from qipo_ray.cli import output as out
from qipo_ray.cli.data_verify import verify
from qipo_ray.errors import UserError, nearest

if TYPE_CHECKING:
    from qipo_ray.data.tasks import Task
    from qipo_ray.data.transitions import Dataset

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

app = typer.Typer(help="List the tasks, get or make their data, show and verify data files.",
                  no_args_is_help=True)  # fmt: skip
app.command("get")(download.get)
app.command("plan")(download.plan)
app.command("verify")(verify)


@app.command("list")
def list_tasks(
    family: Annotated[
        str | None, typer.Option("--family", help="Only this family, such as locomotion.")
    ] = None,
    json: Json = False,
) -> None:
    """List the tasks with their reference scores, and which data are on this machine."""
    from qipo_ray.data.tasks import get_task, task_ids

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


@app.command("show")
def show(
    what: Annotated[
        str, typer.Argument(metavar="FILE|TASK", help="A data file, or a task's own.")
    ],
    task: Annotated[
        str | None, typer.Option("--task", help="The task of FILE, if its name does not tell.")
    ] = None,
    json: Json = False,
) -> None:
    """Show what a data file holds: rows, episodes, returns, source."""
    from qipo_ray.cli.data_files import open_data

    facts = _facts(*open_data(what, task))
    if json:
        out.write(json_format.dumps(facts, indent=2, allow_nan=False))
        return
    for key, value in facts.items():
        out.write(f"{key.replace('_', ' '):<18}{_words(value)}")


@app.command("make")
def make(
    task: Annotated[str, typer.Argument(metavar="TASK", help="A generated task, such as point.")],
    rows: Annotated[int | None, typer.Option("--rows", min=1, help="Transitions.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="0 if not given.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Instead of the data cache.")
    ] = None,
) -> None:
    """Generate a task's data, the same bytes for the same seed."""
    from qipo_ray.data.locate import generated_path
    from qipo_ray.data.tasks import get_task
    from qipo_ray.evaluation.generate import generate

    known = get_task(task)
    if output is None and (rows is not None or seed is not None):
        # The cache holds the one data set that the task's name stands for.
        raise UserError("--rows and --seed make another data set: name its file with --output")
    path = output or generated_path(known)
    if path.exists():
        raise UserError(f"{path} exists; remove it first, or choose another --output")
    try:
        with out.progress(f"generating {task}") as report:
            generate(task, path, rows=rows, seed=seed or 0, progress=report)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error})") from error
    out.remark(f"wrote {path}")


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


def _facts(dataset: Dataset, task: Task) -> dict[str, Any]:
    from qipo_ray.data.tasks import get_task
    from qipo_ray.data.transitions import behaviour_score

    # A real file read under a name without version is no generated data.
    twin = task.twin_of is not None and dataset.source != "generated"
    remarks = get_task(str(task.twin_of)).notes if twin else task.notes
    returns = dataset.episode_returns()
    score = behaviour_score(dataset, task)
    return {
        "task": dataset.task_id,
        "file": str(dataset.path),
        "source": dataset.source,
        "sha256": dataset.sha256,
        "rows": dataset.rows,
        "episodes": len(returns),
        "terminals": int(dataset.terminals.sum()),
        "timeouts": int(dataset.timeouts.sum()),
        "observation_size": dataset.observations.shape[1],
        "action_size": dataset.actions.shape[1],
        "return_min": float(returns.min()),
        "return_mean": float(returns.mean()),
        "return_max": float(returns.max()),
        "normalised_score": score["normalised"] if score else None,
        "notes": [*dataset.notes, *remarks],
    }


def _words(value: object) -> str:
    """Return a fact as people read it."""
    if isinstance(value, list):
        return "; ".join(map(str, value)) or "–"
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, int):
        return f"{value:,}"
    return "–" if value is None else str(value)
