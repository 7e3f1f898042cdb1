"""``qipo-ray train``: one configuration over some seeds, on this machine, without Ray."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from qipo_ray.cli import output as out
from qipo_ray.cli.prepare import (
    check,
    check_device,
    curves_line,
    dataset_of,
    run_context,
    writable,
)
from qipo_ray.cli.score_tables import print_leaderboard
from qipo_ray.config import Config, load_config
from qipo_ray.config.loading import unless_named
from qipo_ray.data.tasks import Task
from qipo_ray.data.transitions import Dataset
from qipo_ray.errors import UserError
from qipo_ray.leaderboard import leaderboard
from qipo_ray.leaderboard.tables import counted
from qipo_ray.study.job_events import JobEvent
from qipo_ray.study.objective import signals_text
from qipo_ray.study.seeds import read_seeds
from qipo_ray.study.task_file import find_task
from qipo_ray.sweep.train_runs import TrainPlan, plan_runs, train_runs
from qipo_ray.tracking.loggers import parse_services
from qipo_ray.train.job_progress import Progress
from qipo_ray.train.job_store import JobStore
from qipo_ray.train.memory import planned, shortage, support_needs
from qipo_ray.train.stage_reports import lines_of


def train(
    task: str | None,
    preset: str,
    changes: list[str] | None,
    seeds: str,
    results: Path,
    data: Path | None,
    jobs: int,
    device: str,
    log: str | None,
    private: bool,
    json: bool,
    explain: bool,
) -> None:
    """Train what is missing of a configuration over seeds, and print the table."""
    if task is None:
        raise UserError(
            "--task is missing: name a D4RL task, point (qipo-ray data list), or a file of your "
            "own (my_task.yaml)"
        )
    trained = find_task(task)
    config = _config(preset, changes or [], trained)
    numbers = chosen_seeds(seeds)
    dataset = dataset_of(trained, data)
    check(trained, config, dataset)
    check_device(device)
    services = parse_services(log)
    root = writable(results, private=private)
    train_missing(config, Path(preset).stem, dataset, numbers, root, jobs, device, services)
    board = leaderboard([root])
    if json:
        out.write(board.document("json"))
    else:
        print_leaderboard(board)
        out.remark(f"records: {root / 'records'}")
        out.remark(curves_line(root))


def _config(preset: str, changes: Sequence[str], task: Task) -> Config:
    """Return the configuration; what neither the user's file nor options name, the task's does."""
    return load_config(preset, [*unless_named(preset, task.settings), *changes])


def train_missing(
    config: Config,
    name: str,
    dataset: Dataset,
    seeds: Sequence[int],
    root: Path,
    jobs: int = 1,
    device: str = "cpu",
    services: Sequence[str] = (),
) -> None:
    """Train what is missing of a configuration over seeds, with a view of how far it is."""
    todo = plan_runs(dataset, config, seeds, root, run_context("train", "single", name))
    if todo.missing:
        workers = min(jobs, len(todo.missing))  # a run is a chain of jobs
        _check_memory(config, dataset, workers, device)
        with _screen(todo, workers) as tell:
            train_runs(todo, workers, tell, device, services)
    else:
        runs = "the run is" if len(todo.runs) == 1 else f"all {len(todo.runs)} runs are"
        out.remark(f"nothing to do: {runs} in {root}")


def _check_memory(config: Config, dataset: Dataset, workers: int, device: str) -> None:
    """Say what the support sets take; ``UserError`` where those of all processes do not fit."""
    needs = support_needs(config, dataset.rows, dataset.actions.shape[1], device)
    out.remark(f"memory: {planned([needs], workers)}")
    for need in needs.values():
        if (problem := shortage(need, workers, torch.device(device))) is not None:
            raise UserError(problem)


def chosen_seeds(text: str) -> list[int]:
    """Return the seeds of ``--seeds``; ``UserError`` for what are none."""
    try:
        return read_seeds(text)
    except ValueError as problem:
        raise UserError(f"--seeds {text!r:.80}: {problem}") from None


@contextmanager
def _screen(todo: TrainPlan, workers: int) -> Iterator[Callable[[JobEvent], None]]:
    """Yield a listener that shows progress with an ETA, and each stage's end as a line."""
    jobs, done, job_store = todo.jobs, todo.done, JobStore(todo.root)
    progress = Progress(jobs.values(), done, workers)
    out.remark(
        f"{counted(len(todo.missing), 'run')}, {counted(len(jobs), 'job')} "
        f"({len(done)} done before), {counted(workers, 'process')}"
    )
    with out.live(f"training {todo.dataset.task_id}") as live:

        def tell(report: JobEvent) -> None:
            progress.note(report)
            stage, seed = report.snapshot.stage, jobs[report.snapshot].seed
            label = f"seed {seed} {stage} {report.updates:,}/{report.snapshot.updates:,}"
            if report.kind == "progress":
                live.update(progress.share, progress.seconds_left, label)
            elif report.kind == "score" and report.score is not None and stage != "critic":
                live.line(f"{label}: score {report.score['normalised']:.1f}")
            elif report.kind == "signals" and report.score is not None:
                live.line(f"{label}: {signals_text(report.score)}")
            elif report.kind == "diverged":
                live.line(f"{label}: diverged: {report.reason}")
            elif report.kind == "finished":
                live.line(f"{label}: done in {report.seconds:.0f} s of training")
                stage_report = job_store.report(jobs[report.snapshot])
                for text in lines_of(stage, stage_report) if stage_report else ():
                    live.line(f"seed {seed} {stage} report: {text}")

        yield tell
