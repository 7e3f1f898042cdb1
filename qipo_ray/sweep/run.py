"""A sweep from its specification to its leaderboard: search, confirm, tables."""

from __future__ import annotations

import logging
import math
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, Protocol

from qipo_ray.data.transitions import Dataset
from qipo_ray.errors import UserError
from qipo_ray.leaderboard import Leaderboard, leaderboard
from qipo_ray.leaderboard.figures import intervals
from qipo_ray.leaderboard.rows import by_setting
from qipo_ray.leaderboard.sweep_report import read_report
from qipo_ray.store.background import background
from qipo_ray.store.driver import driving
from qipo_ray.store.files import write_bytes
from qipo_ray.study.job import Job
from qipo_ray.study.job_events import JobEvent
from qipo_ray.study.search_file import SearchSpec
from qipo_ray.sweep.confirm import confirm, confirmations
from qipo_ray.sweep.dashboard import Dashboard
from qipo_ray.sweep.memory_plan import memory_line
from qipo_ray.sweep.search_state import SearchState
from qipo_ray.sweep.spec_guard import settle_specification
from qipo_ray.sweep.trial_runner import drive
from qipo_ray.train.run_record import RunContext
from qipo_ray.train.training_service import LocalTrainingService, TrainingService

logger = logging.getLogger(__name__)

EVERYONE = "*"
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


class Screen(Protocol):
    """What a sweep tells its user; the command line draws it."""

    def line(self, words: str) -> None:
        """Say something that stays."""

    def slots(self, count: int) -> None:
        """Take in how many jobs train at once."""

    def heard(self, search: SearchState, reports: Sequence[JobEvent]) -> None:
        """Take in news of jobs."""

    def confirming(self, jobs: Sequence[Job]) -> None:
        """Take in what the confirm step will train."""


def run_sweep(
    spec: SearchSpec,
    root: Path,
    datasets: Mapping[str, Dataset],
    occasion: RunContext,
    options: Options,
    screen: Screen,
) -> Leaderboard:
    """Return the leaderboard of the sweep at ``root``, after doing what is missing of it.

    ``LeaseHeld`` if another driver has it; ``UserError`` if the specification is another one.
    """
    with driving(root) as lease:
        leave_on_sigterm()
        if lease.before is not None:
            screen.line(f"taking over from {lease.before}, which is gone")
        settle_specification(spec, root, datasets, extend=options.extend)
        search = SearchState(spec, root, lease.attempt, datasets, occasion, screen.line)
        _go_through(search, options, screen)
    board = leaderboard([root])
    write_tables(board, root / "leaderboard")
    _report(root, screen)
    return board


def leave_on_sigterm() -> None:
    """Make SIGTERM end this process in order; what is durable is all that a resume needs."""

    def leave(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, leave)


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
        screen.line(f"the tables stand, the report failed: {problem!r:.200}; try qipo-ray report")


def _go_through(search: SearchState, options: Options, screen: Screen) -> None:
    if not search.trials_left and all(
        one.record_id in search.records for one in confirmations(search)
    ):
        screen.line(f"nothing to do: the sweep at {search.root} is complete")
        return
    dashboard = Dashboard(search, options.services)
    try:
        if options.executor == "local":
            _locally(search, dashboard, screen)
        else:
            _on_ray(search, dashboard, screen, options)
    finally:
        dashboard.close()


class _Heard:
    """A service whose news the driver overhears."""

    def __init__(self, service: TrainingService, listen: Callable[[list[JobEvent]], None]) -> None:
        self.service, self.listen = service, listen
        self.submit, self.cancel = service.submit, service.cancel

    def poll(self, subscriber: str) -> list[JobEvent]:
        """Return what is new for the subscriber, after telling the listener."""
        reports = self.service.poll(subscriber)
        self.listen(reports)
        return reports


def _locally(search: SearchState, dashboard: Dashboard, screen: Screen) -> None:
    """Run the sweep in this process, one job after another."""

    def listen(reports: list[JobEvent]) -> None:
        dashboard.heard(reports)
        screen.heard(search, reports)

    _say_size(search, screen, 1)
    with LocalTrainingService(search.root) as service:
        heard = _Heard(service, listen)
        while (trial := search.next_trial()) is not None:
            dashboard.follow_trial(trial)
            decide = partial(search.at_rung, trial)
            search.ended(trial, drive(trial, search.source(trial.task), heard, decide))
        runs = confirmations(search)
        dashboard.follow_confirmations(runs)
        screen.confirming([job for one in runs for job in one.run.jobs])
        confirm(search, runs, heard)


def _say_size(search: SearchState, screen: Screen, slots: int) -> None:
    """Say how many jobs train at once, and what memory that takes."""
    screen.slots(slots)
    for dataset in search.datasets.values():
        screen.line(memory_line(search.spec, dataset, slots))


def _on_ray(search: SearchState, dashboard: Dashboard, screen: Screen, options: Options) -> None:
    """Run the sweep on a Ray cluster: the training service, Tune for the search, then confirm."""
    from qipo_ray.distributed.ray_service import RayTrainingService

    screen.line("starting the training service")
    with RayTrainingService.start(search.root, search.spec.resources, options.address) as service:
        from qipo_ray.sweep.tune import run_trials  # Ray reads its environment when imported

        leave_on_sigterm()  # Ray has put its own handler in place
        _say_size(search, screen, service.slots)
        ears = service.client()

        def overhear(over: threading.Event) -> None:
            while not over.is_set():
                service.check()
                reports = ears.poll(EVERYONE)
                dashboard.heard(reports)
                screen.heard(search, reports)

        with background(overhear):
            at_once = math.ceil(service.slots / len(search.spec.search_seeds))
            client = service.client()
            run_trials(search, client, options.at_once or at_once, dashboard.follow_trial)
            runs = confirmations(search)
            dashboard.follow_confirmations(runs)
            screen.confirming([job for one in runs for job in one.run.jobs])
            confirm(search, runs, client)
