"""Solvers on an exact field: its tilt, its errors, its report."""

from __future__ import annotations

import pytest
import torch

from qipo_ray.flow.densities import EightGaussians
from qipo_ray.flow.paths import PATHS
from qipo_ray.flow.solvers import SOLVERS
from qipo_ray.validation import accuracy
from qipo_ray.validation.accuracy import (
    EVALUATIONS,
    SolverCell,
    cells,
    report,
    rms,
    tilted_gaussians,
)
from qipo_ray.validation.learner import TrainingPlan


@pytest.fixture(autouse=True)
def rough_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accuracy, "REFERENCE", ("rk4", 512))


def test_the_law_is_the_tilted_density() -> None:
    masses = tilted_gaussians().masses.float()
    torch.testing.assert_close(masses, EightGaussians().masses(accuracy.BETA))


def test_rms_is_of_lengths() -> None:
    assert rms(torch.tensor([[3.0, 4.0], [0.0, 0.0]])) == pytest.approx(12.5**0.5)


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS)
def test_more_evaluations_help_and_order_pays(path: str) -> None:
    result = SolverCell(path, 64, 0).run()
    assert result == SolverCell(path, 64, 0).run()
    errors = result["errors"]
    assert list(errors) == list(SOLVERS)
    assert all(values[-1] < values[0] for values in errors.values())
    assert errors["rk4"][-1] < errors["midpoint"][-1] < errors["euler"][-1]


@pytest.mark.slow
def test_the_report_has_a_row_for_every_solver_and_a_picture() -> None:
    grid = list(cells(2, TrainingPlan(updates=0, batch=16)))
    assert len({cell.file for cell in grid}) == len(grid) == 2 * len(PATHS)
    outcome = report([cell.run() for cell in grid])
    for table in outcome.tables:
        assert len(table.rows) == len(PATHS) * len(SOLVERS)
        assert table.columns[2:] == tuple(map(str, EVALUATIONS))
    assert outcome.pictures["accuracy.png"].startswith(b"\x89PNG")
