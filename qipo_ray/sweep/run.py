"""A sweep from its specification to its leaderboard: search, confirm, tables."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from qipo_ray.data.transitions import Dataset
from qipo_ray.distributed.cluster import check_room
from qipo_ray.errors import UserError
from qipo_ray.leaderboard import Leaderboard, leaderboard
from qipo_ray.leaderboard.figures.intervals import intervals
from qipo_ray.leaderboard.rows import by_setting
from qipo_ray.leaderboard.sweep_report import read_report
from qipo_ray.leaderboard.tables import counted
from qipo_ray.store.files import names, write_bytes
from qipo_ray.store.lease import driving
from qipo_ray.store.mirror import pull
from qipo_ray.study.saved_spec import FILE
from qipo_ray.study.search_spec import SearchSpec
from qipo_ray.sweep.confirm import confirm_runs
from qipo_ray.sweep.dashboard import Dashboard
from qipo_ray.sweep.executors import Screen, SweepRun
from qipo_ray.sweep.hours import Budget
from qipo_ray.sweep.search_state import SearchState
from qipo_ray.sweep.spec_guard import settle_specification
from qipo_ray.sweep.warm_start import with_prior
from qipo_ray.train.run_record import RunContext

logger = logging.getLogger(__name__)

# What a picture or a full disk may raise: the tables are written by then, and stay.
UNDRAWN = (ArithmeticError, ImportError, LookupError, MemoryError, OSError, RuntimeError,
           TypeError, ValueError, UserError)  # fmt: skip


@dataclass(frozen=True)
class Options:
    """How a sweep is driven; none of it changes what is found."""

    executor: Literal["ray", "local"]
    extend: bool
    address: str | None  # of a Ray cluster; None: the environment's, else one on this machine
    at_once: int | None  # trials; None: enough to fill the slots
    services: tuple[str, ...] = ()  # that show the runs beside TensorBoard
    insecure: bool = False  # a head that asks for no token is joined, too
    budget: Budget | None = None  # of wall-clock time


def check_start(options: Options, spec: SearchSpec, root: Path) -> None:
    """Raise ``UserError`` where a sweep cannot begin: to be asked before it has a folder.

    It is one that ``run_sweep`` would refuse, too, with its lease and its first files written.
    One that is there already may be complete, and then needs no place.
    """
    if FILE in names(root):  # of a bucket, there may be no copy yet
        return
    with_prior(spec)
    if options.executor == "ray":
        check_room(options.address, spec.resources, options.insecure)


def run_sweep(
    spec: SearchSpec,
    root: Path,
    datasets: Mapping[str, Dataset],
    context: RunContext,
    options: Options,
    screen: Screen,
) -> Leaderboard:
    """Return the leaderboard of the sweep at ``root``, after doing what is missing of it.

    ``LeaseHeld`` if another driver has it; ``UserError`` if the specification is another one.
    """
    with driving(root) as lease:
        if lease.before is not None:
            screen.line(f"taking over from {lease.before}, which is gone")
        pull(root)
        budget = options.budget
        spec = settle_specification(spec, root, datasets, extend=options.extend, budget=budget)
        if spec.prior is not None:
            begun = counted(len(spec.prior.trials), "trial")
            screen.line(f"warm start: the search begins with {begun} of {spec.prior.sweep}")
        search = SearchState(spec, root, lease.attempt, datasets, context, screen.line, budget)
        _run(search, options, screen)
    pull(root)
    board = leaderboard([root])
    write_tables(board, root / "leaderboard")
    _report(root, screen)
    return board


def write_tables(board: Leaderboard, folder: Path) -> None:
    """Write the tables in every format, and a picture of each."""
    for suffix, document in board.documents().items():
        write_bytes(folder / f"leaderboard.{suffix}", document.encode())
    for number, (_, rows) in enumerate(by_setting(board.rows), start=1):
        name = "leaderboard" if number == 1 else f"leaderboard-{number}"
        write_bytes(folder / f"{name}.png", intervals(rows, {}).png())


def _report(root: Path, screen: Screen) -> None:
    """Write the report and its pictures; what fails to draw costs neither tables nor records."""
    try:
        for path, data in read_report(root).files(root / "leaderboard"):
            write_bytes(path, data)
    except UNDRAWN as problem:
        logger.warning("no report of %s", root, exc_info=True)
        screen.line(
            f"the tables are written, but the report failed: {problem!r:.200}; try qipo-ray report"
        )


def _run(search: SearchState, options: Options, screen: Screen) -> None:
    planned = [] if search.trials_left else confirm_runs(search)
    if planned and all(run.record_id in search.records for run in planned):
        screen.line(f"nothing to do: the sweep at {search.root} is complete")
        return
    dashboard = Dashboard(search, options.services)
    run = SweepRun(search, dashboard, screen, options.at_once)
    try:
        if options.executor == "local":
            run.on_this_machine()
        else:
            run.on_ray(options.address, options.insecure)
    finally:
        dashboard.close()
