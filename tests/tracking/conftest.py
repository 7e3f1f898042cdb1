"""Runs and rows for loggers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from qipo_ray.config import Config
from qipo_ray.study.job import Run
from qipo_ray.tracking.loggers import LoggedRun, LogRow


@pytest.fixture
def make_run(configure: Callable[..., Config]) -> Callable[..., Run]:
    """A function that returns a run whose data nobody reads."""
    return lambda *changes: Run("point", configure(*changes), 7, "nowhere.hdf5", "a" * 64)


@pytest.fixture
def logged_run(make_run: Callable[..., Run], tmp_path: Path) -> LoggedRun:
    return LoggedRun(tmp_path, ("point", "tiny", "seed-7"), make_run())


@pytest.fixture
def rows() -> list[LogRow]:
    return [
        LogRow(100, 100, {"behaviour/loss": 2.0}),
        LogRow(200, 200, {"behaviour/loss": 1.0}),
        LogRow(0, 200, {"score/normalised": 5.0}),
        LogRow(100, 500, {"policy/ess": 3.0, "policy/support_q": 9.0}),
    ]
