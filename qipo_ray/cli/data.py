"""``qipo-ray data``: one module per verb; ``make`` is here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qipo_ray.cli import data_get as download
from qipo_ray.cli import output as out
from qipo_ray.cli.data_list import list_tasks
from qipo_ray.cli.data_show import show
from qipo_ray.cli.data_verify import verify
from qipo_ray.errors import UserError

app = typer.Typer(help="List the tasks, get or make their data, show and verify data files.",
                  no_args_is_help=True)  # fmt: skip
app.command("get")(download.get)
app.command("plan")(download.plan)
app.command("list")(list_tasks)
app.command("show")(show)
app.command("verify")(verify)


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
