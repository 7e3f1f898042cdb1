"""The package from Python: searches, single configurations and leaderboards, without a shell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from qipo_ray.cli.buckets import results_root
from qipo_ray.cli.prepare import check, dataset_of, run_context, writable
from qipo_ray.cli.sweep import budget_here, executor_named, read_sweep
from qipo_ray.cli.sweep_plan import plan_document
from qipo_ray.config import Config, load_config
from qipo_ray.data.transitions import Dataset
from qipo_ray.errors import UserError
from qipo_ray.leaderboard import Leaderboard, leaderboard
from qipo_ray.study.job_events import JobEvent
from qipo_ray.study.search_spec import SearchSpec
from qipo_ray.study.task_file import find_task
from qipo_ray.sweep.run import Options, check_start, run_sweep
from qipo_ray.sweep.train_runs import plan_runs, train_runs

__all__ = ["Leaderboard", "Sweep", "train_policy"]

Results = str | PathLike[str]
Texts = str | Sequence[str]  # one, or several


class Sweep:
    """A search over a space: ``Sweep.from_yaml("first.yaml").run("results")``."""

    def __init__(self, spec: SearchSpec, datasets: dict[str, Dataset]) -> None:
        """Take what is searched, and the data of its tasks; both as ``from_yaml`` reads them."""
        self.spec, self.datasets = spec, datasets

    @classmethod
    def from_yaml(
        cls,
        file: Results,
        *,
        tasks: Texts | None = None,
        data: Texts | None = None,
        changes: Texts | None = None,
        space: Texts | None = None,
        trials: int | None = None,
        objective: str | None = None,
        report_seeds: str | Sequence[int] | None = None,
    ) -> Sweep:
        """Return the sweep of a search file, or of the name of one that ships.

        The others are the options ``--task``, ``--data``, ``--set``, ``--space``, ``--trials``,
        ``--objective`` and ``--report-seeds`` of the command.
        ``UserError`` says in one line what is wrong.
        """
        if report_seeds is not None and not isinstance(report_seeds, str):
            report_seeds = ",".join(map(str, report_seeds))
        read = read_sweep(
            str(file),
            _several(tasks),
            _several(data),
            _several(changes),
            _several(space),
            trials,
            objective=objective,
            report_seeds=report_seeds,
        )
        return cls(*read)

    def plan(self) -> dict[str, Any]:
        """Return what ``qipo-ray sweep --plan --json`` prints; nothing is started."""
        return plan_document(self.spec, self.datasets)

    def run(
        self,
        results: Results = "results",
        *,
        executor: Literal["local", "ray"] = "local",
        address: str | None = None,
        at_once: int | None = None,
        extend: bool = False,
        hours: float | None = None,
        gpu_hours: float | None = None,
        report: Callable[[str], object] | None = None,
    ) -> Leaderboard:
        """Return the leaderboard of the sweep at ``results/NAME``, after what is missing of it.

        ``report`` gets a line for each trial and confirmed run. The same call continues.
        """
        chosen = executor_named(executor)
        root = results_root(Path(results)) / self.spec.name
        budget = budget_here(self.spec, self.datasets, hours, gpu_hours, root)
        options = Options(chosen, extend, address, at_once, budget=budget)
        check_start(options, self.spec, root)
        context = replace(run_context(self.spec.name, "search"), command="qipo_ray.Sweep.run")
        screen = _Lines(report or (lambda line: None))
        return run_sweep(self.spec, writable(root), self.datasets, context, options, screen)


def _several(text: Texts | None) -> list[str]:
    return [text] if isinstance(text, str) else list(text or ())


class _Lines:
    """A screen that passes on the lines alone."""

    def __init__(self, report: Callable[[str], object]) -> None:
        self._report = report

    def line(self, text: str) -> None:
        """Pass on a line."""
        self._report(text)

    def update(self, share: float, seconds_left: float | None, detail: str) -> None:
        """Nothing: a bar has no place here."""


def train_policy(
    config: Config | Results,
    task: str,
    *,
    changes: Texts = (),
    seeds: Sequence[int] = (0,),
    data: Results | None = None,
    results: Results = "results",
    jobs: int = 1,
    device: str = "cpu",
    report: Callable[[JobEvent], None] | None = None,
) -> Leaderboard:
    """Return the leaderboard of ``results`` after training a configuration over seeds.

    ``config`` is a preset's name, a file of settings, or a ``Config`` of ``load_config``.
    ``report`` gets every event of a job: progress, scores, ends. What is there is not trained
    again. ``load_policy(results)`` then acts. ``UserError`` says in one line what is wrong.
    """
    name, trained = "config", find_task(task)
    if not seeds or any(seed < 0 for seed in seeds):
        raise UserError(f"seeds: expected at least one, from 0; got {list(seeds)}")
    if not isinstance(config, Config):
        name, config = Path(config).stem, load_config(str(config), _several(changes))
    elif changes:
        raise UserError("changes: they change a preset or a file; this Config is whole")
    dataset = dataset_of(trained, None if data is None else Path(data))
    check(trained, config, dataset)
    root = writable(Path(results))
    context = replace(run_context("train", "single", name), command="qipo_ray.train_policy")
    todo = plan_runs(dataset, config, seeds, root, context)
    if todo.missing:
        train_runs(todo, min(jobs, len(todo.missing)), report or (lambda event: None), device)
    return leaderboard([root])
