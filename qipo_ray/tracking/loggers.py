"""Where a run's numbers are shown: TensorBoard always, other services when asked for."""

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
LOOK_S = 60.0  # seconds for a service to say that it can be used

# What a curve does not mean. TensorBoard says it beside the curve; a service has no place for the
# words, and is not given the curve.
NO_SUCCESS = "It rises even where the score falls: no sign that the policy improves."
DESCRIPTIONS = {
    "policy/support_q": f"Mean Q of the policy's support actions. {NO_SUCCESS}",
    "critic/q_data": f"Mean Q of the data's actions. {NO_SUCCESS}",
    "policy_report/q_mean": f"Mean Q of the last policy's actions. {NO_SUCCESS}",
}


@dataclass(frozen=True)
class LogRow:
    """Numbers at one place of a run by tag: ``behaviour/loss``, ``score/normalised``, ..."""

    updates: int  # of the stage: the x axis where every tag has its own
    total: int  # of the run, stage after stage: the x axis where all tags share one
    values: Mapping[str, float]

    @property
    def plain(self) -> dict[str, float]:
        """Return the values that need no description, which is what a service is given."""
        return {tag: value for tag, value in self.values.items() if tag not in DESCRIPTIONS}


class Logger(Protocol):
    """Shows one run. It is opened anew after a resume, and gets all rows again.

    It may raise anything and take any time: a thread works it in a thread of its own.
    """

    def write(self, rows: Sequence[LogRow]) -> None:
        """Take in rows that are new, ``total`` never falling."""

    def close(self) -> None:
        """Take in that no row will follow."""


@dataclass(frozen=True)
class LoggedRun:
    """A run and what it is called: ``(task, configuration, seed)`` below its results folder."""

    root: Path
    place: tuple[str, ...]
    run: Run

    @property
    def folder(self) -> Path:
        """Where TensorBoard reads it."""
        return self.root.joinpath("tensorboard", *self.place)

    @property
    def identity(self) -> str:
        """Return 16 hex digits that no other run has, the same again after a resume."""
        words = f"{self.root.resolve()}:{'/'.join(self.place)}:{self.run.jobs[-1].key}"
        return hashlib.sha256(words.encode()).hexdigest()[:16]

    @property
    def settings(self) -> dict[str, Any]:
        """Return the configuration by dotted key, and what was trained."""
        run = self.run
        flat = {
            f"{section}.{key}": value
            for section, values in to_dict(run.config).items()
            for key, value in values.items()
        }
        return {"task": run.task, "seed": run.seed, "data_sha256": run.data_sha256, **flat}


LoggerFactory = Callable[[LoggedRun], Logger]


class TrackingService(Protocol):
    """A module ``<name>_sink``. What it does may raise anything and take any time."""

    @property
    def make_logger(self) -> LoggerFactory:
        """What opens the logger of a run."""

    def look(self) -> None:
        """Raise if the service is not installed, has no login or does not answer."""

    def leave(self) -> None:
        """Let this process end while the service may be stuck."""


def find_service(name: str) -> TrackingService:
    """Return the module of a service."""
    service: Any = import_module(f"qipo_ray.tracking.{name}_logger")
    found: TrackingService = service
    return found


def read_services(text: str | None) -> tuple[str, ...]:
    """Return the services in ``wandb,mlflow``, after a look whether each can be used here.

    ``UserError`` for an unknown one, for one that is not installed, and for one without a login
    or an answer.
    """
    names = tuple(dict.fromkeys(part.strip() for part in (text or "").split(",") if part.strip()))
    for name in names:
        if name not in SERVICES:
            raise UserError(
                f"--log {name}{nearest(name, SERVICES)}: expected {' or '.join(SERVICES)}; "
                "TensorBoard is always written"
            )
        _look(name, find_service(name).look)
    return names


def _look(name: str, look: Callable[[], None]) -> None:
    try:
        error = aside(look).exception(LOOK_S)
    except NoAnswer:
        raise UserError(f"--log {name}: no answer in {LOOK_S:.0f} s") from None
    if isinstance(error, ImportError):
        raise UserError(
            f"--log {name} needs the extra: pip install 'qipo_ray[{name}]' ({in_a_line(error)})"
        ) from error
    if error is not None:
        raise UserError(f"--log {name}: {in_a_line(error)}") from error


def in_a_line(error: BaseException) -> str:
    """Return an error's words as one line that is not too long to read."""
    words = " ".join(str(error).split())
    return f"{words or type(error).__name__:.300}"
