"""``qipo-ray bench``: what this version reaches on small budgets, against numbers to reach."""

from __future__ import annotations

import json as json_format
from collections.abc import Sequence
from pathlib import Path

import typer

from qipo_ray.bench.learning import BenchTask, Case, cases, chosen
from qipo_ray.bench.outcome import BenchOutcome, outcome
from qipo_ray.bench.table import met, plain, table
from qipo_ray.cli import output as out
from qipo_ray.cli.prepare import check, writable
from qipo_ray.cli.score_tables import print_table
from qipo_ray.cli.train import read_seeds, train_missing
from qipo_ray.data.transitions import Dataset
from qipo_ray.leaderboard.formats.markdown import section
from qipo_ray.store.records import read_records

MISSED = 1  # exit code


def learning(
    data: Path | None,
    results: Path,
    tasks: str | None,
    seeds: str,
    paper_form: bool,
    jobs: int,
    json: bool,
    markdown: bool,
) -> None:
    """Train, print and keep the table; leave with exit code 1 if a number is not reached."""
    bench_tasks, numbers = chosen(tasks), read_seeds(seeds)
    root = writable(results)
    todo = _planned(bench_tasks, numbers, data, root, paper_form)
    for case, dataset in todo:
        out.remark(f"{case.task.task}, {case.method}:")
        train_missing(case.config, case.name, dataset, case.seeds, root, jobs)
    outcomes = _outcomes(root, todo)
    files = {
        "learning.md": section(table(outcomes)),
        "learning.json": json_format.dumps(plain(outcomes), indent=2, allow_nan=False) + "\n",
    }
    out.write_files({root / name: text.encode() for name, text in files.items()})
    if json or markdown:
        out.write(files["learning.json" if json else "learning.md"])
    else:
        print_table(table(outcomes))
    if not met(outcomes):
        raise typer.Exit(MISSED)


def _planned(
    tasks: Sequence[BenchTask], seeds: list[int], folder: Path | None, root: Path, paper_form: bool
) -> list[tuple[Case, Dataset]]:
    """Return all that is to be trained, each with its data, checked before anything begins."""
    todo = []
    for task in tasks:
        with out.progress(f"generating {task.task}") as progress:
            dataset = task.dataset(folder, root, progress)
        for case in cases(task, seeds, paper_form):
            check(task.task, case.config, dataset)
            todo.append((case, dataset))
    return todo


def _outcomes(root: Path, todo: Sequence[tuple[Case, Dataset]]) -> list[BenchOutcome]:
    records = read_records(root / "records")
    return [outcome(case, dataset.sha256, records) for case, dataset in todo]
