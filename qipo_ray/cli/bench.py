"""``qipo-ray bench``: what this version reaches on small budgets, against numbers to reach."""

from __future__ import annotations

import json as json_format
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import typer

from qipo_ray.bench.learning import BenchTask, Case, cases, chosen
from qipo_ray.bench.outcome import BenchOutcome, outcome
from qipo_ray.bench.peers import PEER_TASKS, beside, peer_cases
from qipo_ray.bench.peers_table import peers_met, peers_plain, peers_table
from qipo_ray.bench.table import met, plain, table
from qipo_ray.cli import output as out
from qipo_ray.cli.prepare import check, writable
from qipo_ray.cli.score_tables import print_table
from qipo_ray.cli.train import chosen_seeds, train_missing
from qipo_ray.data.tasks import get_task
from qipo_ray.data.transitions import Dataset
from qipo_ray.leaderboard.formats.markdown import section
from qipo_ray.leaderboard.tables import Table
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
    bench_tasks, numbers = chosen(tasks), chosen_seeds(seeds)
    root = writable(results)
    todo = _planned(bench_tasks, lambda task: cases(task, numbers, paper_form), data, root)
    outcomes = _trained(todo, lambda _: root, jobs)
    numbers_text = json_format.dumps(plain(outcomes), indent=2, allow_nan=False)
    _show(root, "learning", table(outcomes), numbers_text, json, markdown)
    if not met(outcomes):
        raise typer.Exit(MISSED)


def peers(
    data: Path,
    results: Path,
    files: str | None,
    methods: str | None,
    seeds: str,
    jobs: int,
    json: bool,
    markdown: bool,
) -> None:
    """Train, print and keep the table; leave with exit code 1 if a number is not reached."""
    tasks, numbers = chosen(files, PEER_TASKS, "--files"), chosen_seeds(seeds)
    forms, root = beside(methods), writable(results)
    todo = _planned(tasks, lambda task: peer_cases(task, numbers, forms), data, root)
    outcomes = _trained(todo, lambda task: root / task.name, jobs)  # two files may be of one task
    sources = {case.task.name: dataset.source for case, dataset in todo}
    numbers_text = json_format.dumps(peers_plain(outcomes, sources), indent=2, allow_nan=False)
    _show(root, "peers", peers_table(outcomes, sources), numbers_text, json, markdown)
    if not peers_met(outcomes):
        raise typer.Exit(MISSED)


def _planned(
    tasks: Sequence[BenchTask],
    cases_of: Callable[[BenchTask], Iterable[Case]],
    folder: Path | None,
    root: Path,
) -> list[tuple[Case, Dataset]]:
    """Return all that is to be trained, each with its data, checked before anything begins."""
    todo = []
    for task in tasks:
        with out.progress(f"generating {task.task}") as progress:
            dataset = task.dataset(folder, root, progress)
        for case in cases_of(task):
            check(get_task(task.task), case.config, dataset)
            todo.append((case, dataset))
    return todo


def _trained(
    todo: Sequence[tuple[Case, Dataset]], results_of: Callable[[BenchTask], Path], jobs: int
) -> list[BenchOutcome]:
    """Return what came of all cases, after training what is missing."""
    outcomes = []
    for case, dataset in todo:
        out.remark(f"{case.task.name}, {case.method}:")
        root = results_of(case.task)
        train_missing(case.config, case.name, dataset, case.seeds, root, jobs)
        outcomes.append(outcome(case, dataset.sha256, read_records(root / "records")))
    return outcomes


def _show(root: Path, name: str, shown: Table, numbers: str, json: bool, markdown: bool) -> None:
    """Keep the table and its numbers below ``root``, and print one of them."""
    files = {f"{name}.md": section(shown), f"{name}.json": f"{numbers}\n"}
    out.write_files({root / file: text.encode() for file, text in files.items()})
    if json or markdown:
        out.write(files[f"{name}.json" if json else f"{name}.md"])
    else:
        print_table(shown)
