"""``qipo-ray data check`` and ``data references``: a user's own task before it is trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import typer

from qipo_ray.cli import output as out
from qipo_ray.cli.data_verify import WRONG
from qipo_ray.data.load import load
from qipo_ray.data.tasks import Task
from qipo_ray.data.transitions import Dataset
from qipo_ray.errors import UserError
from qipo_ray.evaluation.data_checks import DataCheck
from qipo_ray.evaluation.data_checks import check as data_checks
from qipo_ray.evaluation.own_checks import own_checks, random_rollouts
from qipo_ray.study.task_file import own_task


def check(task: str, data: Path | None, json: bool) -> None:
    """Print what fits and what does not; leave with exit code 1 if something is WRONG."""
    own = _own(task)
    checks = list(_checks(own, _dataset(own, data)))
    wrong = [result.name for result in checks if result.verdict == "WRONG"]
    if json:
        rows = [asdict(result) for result in checks]
        out.print_json({"task": own.id, "wrong": len(wrong), "checks": rows})
    else:
        for result in checks:
            out.write(f"{result.verdict:<6}{result.name:<13}{result.words}")
        verdict = f"WRONG: {', '.join(wrong)}" if wrong else "nothing is wrong"
        out.write(f"{task}, task {own.id}: {verdict}")
    if wrong:
        raise typer.Exit(WRONG)


def _checks(task: Task, dataset: Dataset | None) -> Iterator[DataCheck]:
    """Yield the checks of the task; those of its data by replay only where all else fits."""
    wrong = False
    for result in own_checks(dataset, task):
        wrong |= result.verdict == "WRONG"
        yield result
    if dataset is not None and not wrong:
        with out.progress(f"replaying {dataset.path.name}") as report:
            yield from data_checks(dataset, task, report)


def references(task: str, data: Path | None, episodes: int, json: bool) -> None:
    """Print the reference returns as lines of a task file."""
    own = _own(task)
    if not own.scored:
        raise UserError(f"{task}: environment: none, so no random policy can be rolled out")
    dataset = _dataset(own, data)
    if dataset is None:
        raise UserError(f"{task}: no data: add `data:` to the file, or --data FILE")
    returns = random_rollouts(own, episodes).returns
    low, high = float(returns.mean()), float(dataset.episode_returns().max())
    if not low < high:
        raise UserError(
            f"{task}: the best episode of {dataset.path} returns {high:.6g}, no more than the "
            f"{low:.6g} of a random policy; keep `references: raw`"
        )
    if json:
        out.print_json({"references": [low, high]})
        return
    out.write(f"# low: the mean of {episodes} random episodes, ± {returns.std():.4g} over them")
    out.write(f"# high: the best of {len(dataset.episodes):,} episodes of {dataset.path.name}")
    out.write(f"references: [{low:.6g}, {high:.6g}]")


def _own(name: str) -> Task:
    task = own_task(name)
    if task is None:
        raise UserError(f"{name!r} is no task file; expected one such as my_task.yaml")
    return task


def _dataset(task: Task, data: Path | None) -> Dataset | None:
    """Return the data that the option or the file names, None where neither does."""
    named = data is not None or (task.own is not None and task.own.data is not None)
    return load(task, data) if named else None
