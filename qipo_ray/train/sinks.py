"""Where a run's numbers are shown: TensorBoard always, other services when asked for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from qipo_ray.config import to_dict
from qipo_ray.errors import UserError, nearest
from qipo_ray.train.job import Run

logger = logging.getLogger(__name__)

SERVICES = ("wandb", "mlflow")  # each needs the extra of its name


@dataclass(frozen=True)
class Row:
    """Numbers at one place of a run by tag: ``behaviour/loss``, ``score/normalised``, ..."""

    updates: int  # of the stage: the x axis where every tag has its own
    total: int  # of the run, stage after stage: the x axis where all tags share one
    values: Mapping[str, float]


class Sink(Protocol):
    """Shows one run. It is opened anew after a resume, and gets all rows again."""

    def write(self, rows: Sequence[Row]) -> None:
        """Take in rows that are new, ``total`` never falling."""

    def close(self) -> None:
        """Take in that no row will follow."""


@dataclass(frozen=True)
class Shown:
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
        """Return what tells it from all other runs, the same again after a resume."""
        return f"{self.root.resolve()}:{'/'.join(self.place)}:{self.run.jobs[-1].key}"

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


class _Guarded:
    """A service's sink: what the service refuses is a warning, and never stops the training."""

    def __init__(self, name: str, shown: Shown) -> None:
        module: Any = import_module(f"qipo_ray.train.{name}_sink")
        self.name, self.failures = name, module.failures()
        self.sink: Sink | None = None
        self._try(lambda: setattr(self, "sink", module.open_sink(shown)))

    def _try(self, act: Callable[[], object]) -> None:
        try:
            act()
        except self.failures as error:
            logger.warning("%s shows this run no further: %s", self.name, _line(error))
            self.sink = None

    def write(self, rows: Sequence[Row]) -> None:
        """Pass rows on."""
        if self.sink is not None and rows:
            sink = self.sink
            self._try(lambda: sink.write(rows))

    def close(self) -> None:
        """Close the run there."""
        if self.sink is not None:
            self._try(self.sink.close)


def open_sinks(services: Sequence[str], shown: Shown) -> list[Sink]:
    """Return TensorBoard's sink for a run and one for each of the services."""
    from qipo_ray.train.tensorboard import TensorBoardSink

    return [TensorBoardSink(shown), *(_Guarded(name, shown) for name in services)]


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
        try:
            module: Any = import_module(f"qipo_ray.train.{name}_sink")
            failures = module.failures()
        except ImportError as error:
            raise UserError(
                f"--log {name} needs the extra: pip install 'qipo_ray[{name}]' ({error})"
            ) from error
        try:
            module.look()
        except failures as error:
            raise UserError(f"--log {name}: {_line(error)}") from error
    return names


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
