"""``qipo-ray sweep``: search, confirm and leaderboard, on Ray or in this process."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from qipo_ray.cli import output as out
from qipo_ray.cli.prepare import check, dataset_of, writable
from qipo_ray.errors import UserError, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qipo_ray.study.job import Job
    from qipo_ray.study.job_events import JobEvent
    from qipo_ray.sweep.search_state import SearchState


def sweep(
    file: Annotated[
        str, typer.Argument(metavar="[FILE]", help="A search file, or the name of one that ships.")
    ] = "quickstart",
    tasks: Annotated[
        list[str] | None, typer.Option("--task", help="In place of the file's; may be repeated.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change the base: policy.renew_every=500."
        ),
    ] = None,
    trials: Annotated[
        int | None, typer.Option("--trials", min=1, help="Per task, in place of the file's.")
    ] = None,
    results: Annotated[
        Path,
        typer.Option("--results", envvar="QIPO_RESULTS", help="The sweep goes to RESULTS/NAME."),
    ] = Path("results"),
    executor: Annotated[
        str, typer.Option("--executor", help="ray, or local: this process, without Ray.")
    ] = "ray",
    address: Annotated[
        str | None,
        typer.Option("--address", help="Of a Ray head; else RAY_ADDRESS, else this machine."),
    ] = None,
    at_once: Annotated[
        int | None, typer.Option("--at-once", min=1, help="Trials in flight, if not by the slots.")
    ] = None,
    extend: Annotated[
        bool, typer.Option("--extend", help="Go on with a changed specification.")
    ] = False,
    log: Annotated[
        str | None,
        typer.Option("--log", metavar="wandb,mlflow", help="Services beside TensorBoard."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """SearchState the space of FILE, confirm the best on fresh seeds, and print the leaderboard.

    The same command again continues where it was stopped, whatever stopped it.
    """
    from qipo_ray.study.search_file import find_search_file, load_search_file
    from qipo_ray.tracking.loggers import read_services

    if executor not in ("ray", "local"):
        hint = nearest(executor, ("ray", "local"))
        raise UserError(f"--executor {executor!r}{hint}: expected ray or local")
    _refuse_lost_results(results)
    spec = load_search_file(
        find_search_file(file), tasks=tasks or None, sets=changes or [], trials=trials
    )
    datasets = {task: dataset_of(task, None) for task in spec.tasks}
    for task, dataset in datasets.items():
        for config in (spec.base, *([spec.paper] if spec.paper else [])):
            check(task, config, dataset)
    services = read_services(log)
    root = writable(results.expanduser().resolve() / spec.name)

    from qipo_ray.sweep.run import Options, run_sweep
    from qipo_ray.train.run_record import RunContext, now

    occasion = RunContext(
        sweep=spec.name,
        trial=None,
        purpose="search",
        name=None,
        command=out.invoked.command,
        started=now(),
    )
    chosen: Literal["local", "ray"] = "local" if executor == "local" else "ray"
    options = Options(chosen, extend, address, at_once, services)
    with out.live(f"sweep {spec.name}") as live:
        board = run_sweep(spec, root, datasets, occasion, options, _Screen(live))
    if json:
        out.write(board.json())
        return
    out.print_leaderboard(board)
    out.remark(f"tables: {root / 'leaderboard'}")
    out.remark(f"tensorboard --logdir {shlex.quote(str(root / 'tensorboard'))}")


def _refuse_lost_results(results: Path) -> None:
    """Refuse a relative folder inside of a Ray job, whose working directory vanishes."""
    if "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ and not results.expanduser().is_absolute():
        raise UserError(
            f"--results {results}: inside a Ray job a relative path lies in a folder that "
            "vanishes with the job; give an absolute path that all machines share"
        )


class _Screen:
    """Draws a sweep's progress: a bar with an ETA, and a line for each trial and confirmed run."""

    def __init__(self, live: out.Live) -> None:
        from qipo_ray.sweep.sweep_progress import SweepProgress

        self.live = live
        self.progress = SweepProgress(slots=os.cpu_count() or 1)

    def message(self, words: str) -> None:
        """Print a line that stays."""
        self.live.line(words)

    def slots(self, count: int) -> None:
        """Take in how many jobs train at once."""
        self.progress.slots = count

    def take(self, search: SearchState, reports: Sequence[JobEvent]) -> None:
        """Take in news of jobs and move the bar."""
        self.progress.take(reports)
        where = f"{len(search.outcomes)} trials ended"
        if reports:
            last = reports[-1]
            where += f", {last.snapshot.stage} {last.updates:,}/{last.snapshot.updates:,}"
        left = self.progress.seconds_left(search)
        self.live.update(self.progress.share(search), left, where)

    def confirming(self, jobs: Sequence[Job]) -> None:
        """Say what the confirm step trains."""
        self.progress.begin_confirm(jobs)
        policies = sum(job.stage == "policy" for job in jobs)
        distinct = len({job.snapshot for job in jobs})
        self.live.line(f"confirming: {policies} runs, {distinct} jobs")
