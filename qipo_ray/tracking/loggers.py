"""Interfaces of loggers and services, the run that is logged, and the parser of ``--log``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import TimeoutError as NoAnswer
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from qipo_ray.config import to_dict
from qipo_ray.errors import UserError, nearest
from qipo_ray.store.background import aside
from qipo_ray.study.job import Run

SERVICES = ("wandb", "mlflow")  # each needs the extra of its name
CHECK_S = 60.0  # seconds for the check of a service

# Warnings beside curves in TensorBoard. Services cannot show them, and do not get the curves.
NO_SUCCESS = "It rises even where the score falls: no sign that the policy improves."
DESCRIPTIONS = {
    "policy/support_q": f"Mean Q of the policy's support actions. {NO_SUCCESS}",
    "critic/q_data": f"Mean Q of the data's actions. {NO_SUCCESS}",
    "policy_report/q_mean": f"Mean Q of the last policy's actions. {NO_SUCCESS}",
}


@dataclass(frozen=True)
class LogRow:
    """Numbers at one update of a run by tag: ``behaviour/loss``, ``score/normalised``, ..."""

    updates: int  # of the stage: the x axis where every tag has its own
    total: int  # of the run, stage after stage: the x axis where all tags share one
    values: Mapping[str, float]

    @property
    def plain(self) -> dict[str, float]:
        """Return the values without a description, which services get."""
        return {tag: value for tag, value in self.values.items() if tag not in DESCRIPTIONS}


class Logger(Protocol):
    """Logs one run. It is opened anew after a resume, and gets all rows again.

    It may raise anything and take any time: it is called in a thread of its own.
    """

    def write(self, rows: Sequence[LogRow]) -> None:
        """Log new rows; ``total`` never falls."""

    def close(self) -> None:
        """End the log: no row will follow."""


@dataclass(frozen=True)
class LoggedRun:
    """A run to log, and its path ``(task, configuration, seed)`` below its results folder."""

    root: Path
    path: tuple[str, ...]
    run: Run

    @property
    def folder(self) -> Path:
        """The folder of its TensorBoard events."""
        return self.root.joinpath("tensorboard", *self.path)

    @property
    def identity(self) -> str:
        """Return 16 hex digits that are unique to the run, and the same after a resume."""
        text = f"{self.root.resolve()}:{'/'.join(self.path)}:{self.run.jobs[-1].key}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def settings(self) -> dict[str, Any]:
        """Return task, seed, data and the configuration by dotted key."""
        run = self.run
        flat = {
            f"{section}.{key}": value
            for section, values in to_dict(run.config).items()
            for key, value in values.items()
        }
        return {"task": run.task, "seed": run.seed, "data_sha256": run.data_sha256, **flat}


LoggerFactory = Callable[[LoggedRun], Logger]


class TrackingService(Protocol):
    """A module ``<name>_logger``. Its functions may raise anything and take any time."""

    @property
    def make_logger(self) -> LoggerFactory:
        """The function that opens the logger of a run."""

    def check(self) -> None:
        """Raise if the service is not installed, has no login or does not answer."""

    def shutdown(self) -> None:
        """Let this process end although the service may hang."""


def find_service(name: str) -> TrackingService:
    """Return the module of a service."""
    module: Any = import_module(f"qipo_ray.tracking.{name}_logger")
    service: TrackingService = module
    return service


def parse_services(text: str | None) -> tuple[str, ...]:
    """Return the services in ``wandb,mlflow`` after checking that each can be used.

    ``UserError`` for one that is unknown, not installed, without a login or does not answer.
    """
    names = tuple(dict.fromkeys(part.strip() for part in (text or "").split(",") if part.strip()))
    for name in names:
        if name not in SERVICES:
            raise UserError(
                f"--log {name}{nearest(name, SERVICES)}: expected {' or '.join(SERVICES)}; "
                "TensorBoard is always written"
            )
        _check_service(name, find_service(name).check)
    return names


def _check_service(name: str, check: Callable[[], None]) -> None:
    try:
        error = aside(check).exception(CHECK_S)
    except NoAnswer:
        raise UserError(f"--log {name}: no answer in {CHECK_S:.0f} s") from None
    if isinstance(error, ImportError):
        raise UserError(
            f"--log {name} needs the extra: pip install 'qipo_ray[{name}]' ({one_line(error)})"
        ) from error
    if error is not None:
        raise UserError(f"--log {name}: {one_line(error)}") from error


def one_line(error: BaseException) -> str:
    """Return an error's message on one line of at most 300 characters."""
    text = " ".join(str(error).split())
    return f"{text or type(error).__name__:.300}"
