"""``qipo-ray bench``: what this version reaches on small budgets, against numbers to reach."""

from __future__ import annotations

import json as json_format
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qipo_ray.cli import output as out
from qipo_ray.cli.prepare import check, writable
from qipo_ray.cli.train import read_seeds, train_missing

if TYPE_CHECKING:
    from qipo_ray.bench.learning import BenchTask, Case
    from qipo_ray.bench.outcome import BenchOutcome
    from qipo_ray.data.transitions import Dataset

MISSED = 1  # exit code
app = typer.Typer(help="Benchmarks with numbers to reach.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    pass  # so that `learning` stays a verb of its own


@app.command("learning")
def learning(
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FOLDER", help="Where hopper and cheetah are.")
    ] = None,
    results: Annotated[
        Path, typer.Option("--results", metavar="DIR", help="What is there is not done again.")
    ] = Path("results/bench-learning"),
    tasks: Annotated[
        str | None, typer.Option("--tasks", help="Of point,maze,hopper,cheetah; else all.")
    ] = None,
    seeds: Annotated[
        str, typer.Option("--seeds", help="Comma-separated.")
    ] = "100,101,102,103,104",
    paper_form: Annotated[
        bool,
        typer.Option("--paper-form", help="Beside it the paper's form, 20 CPU minutes a task."),
    ] = False,
    jobs: Annotated[
        int, typer.Option("--jobs", min=1, help="Processes; one per core if not given.")
    ] = os.cpu_count() or 1,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown instead of a table.")
    ] = False,
) -> None:
    """Train both paths on small tasks within CPU budgets, and compare with cloning.

    The same command continues after an interruption. Exit code 1 if a number is not reached.
    """
    from qipo_ray.bench.learning import chosen
    from qipo_ray.bench.table import met, plain, table
    from qipo_ray.leaderboard.formats.markdown import section
    from qipo_ray.store.files import write_bytes

    wanted, numbers = chosen(tasks), read_seeds(seeds)
    root = writable(results)
    todo = _planned(wanted, numbers, data, root, paper_form)
    for case, dataset in todo:
        out.remark(f"{case.task.task}, {case.method}:")
        train_missing(case.config, case.name, dataset, case.seeds, root, jobs)
    outcomes = _outcomes(root, todo)
    files = {
        "learning.md": section(table(outcomes)),
        "learning.json": json_format.dumps(plain(outcomes), indent=2, allow_nan=False) + "\n",
    }
    for name, text in files.items():
        write_bytes(root / name, text.encode())
        out.remark(f"wrote {root / name}")
    if json or markdown:
        out.write(files["learning.json" if json else "learning.md"])
    else:
        out.print_table(table(outcomes))
    if not met(outcomes):
        raise typer.Exit(MISSED)


def _planned(
    tasks: Sequence[BenchTask], seeds: list[int], folder: Path | None, root: Path, paper_form: bool
) -> list[tuple[Case, Dataset]]:
    """Return all that is to be trained, each with its data, checked before anything begins."""
    from qipo_ray.bench.learning import cases

    todo = []
    for task in tasks:
        with out.progress(f"generating {task.task}") as progress:
            dataset = task.dataset(folder, root, progress)
        for case in cases(task, seeds, paper_form):
            check(task.task, case.config, dataset)
            todo.append((case, dataset))
    return todo


def _outcomes(root: Path, todo: Sequence[tuple[Case, Dataset]]) -> list[BenchOutcome]:
    from qipo_ray.bench.outcome import outcome
    from qipo_ray.store.records import read_records

    records = read_records(root / "records")
    return [outcome(case, dataset.sha256, records) for case, dataset in todo]
