"""Growing dimensions: gaps of fields, the cells and their tables."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from qipo_ray.flow import Field, path_named
from qipo_ray.flow.known import Mixture
from qipo_ray.validation import dimension_cells, dimension_tables
from qipo_ray.validation.dimension_cells import (
    ActionCell,
    StateCell,
    antithetic,
    cells,
    field_gaps,
)
from qipo_ray.validation.learner import TrainingPlan


@pytest.fixture(autouse=True)
def few_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dimension_cells, "POINTS", 256)
    monkeypatch.setattr(dimension_cells, "STATES", 32)


def test_gaps_of_the_exact_field_are_zero_and_of_a_zero_field_minus_it() -> None:
    path, law = path_named("ot"), Mixture.gaussian(torch.full((3,), -0.5))
    data, _ = law.sample(64, torch.Generator().manual_seed(0))
    exact = law.field(path)
    gaps, velocity = field_gaps(exact, exact, data, torch.Generator().manual_seed(1))
    assert not gaps.any() and velocity.any()
    zero = Field(path, "velocity", lambda x, t: torch.zeros_like(x))
    gaps, velocity = field_gaps(zero, exact, data, torch.Generator().manual_seed(1))
    assert torch.equal(gaps, -velocity)


def test_antithetic_noise_has_mean_zero_in_every_pair() -> None:
    noise = antithetic(6, 5, torch.Generator().manual_seed(0))
    assert noise.shape == (6, 5)
    assert not noise.view(3, 2, 5).sum(1).any()


def test_cells_differ_and_are_reproducible(plan: TrainingPlan) -> None:
    grid = list(cells(2, plan))
    assert len({cell.file for cell in grid}) == len(grid) == 100
    for cell in (
        ActionCell(2, "ot", "velocity", "drawn", 0, plan),
        StateCell(4, "batch", 0, plan),
    ):
        assert cell.run() == cell.run()


def test_the_sample_size_at_beta_one_does_not_depend_on_the_dimension(plan: TrainingPlan) -> None:
    sizes = [ActionCell(d, "ot", "velocity", "batch", 0, plan).run()["ess"] for d in (2, 64)]
    assert sizes == [pytest.approx(64 * math.exp(-1), rel=0.25)] * 2
    assert sizes[1] == pytest.approx(sizes[0], rel=0.1)


@pytest.mark.slow
def test_the_report_tells_every_cell(plan: TrainingPlan) -> None:
    results = [cell.run() for cell in cells(1, replace(plan, updates=2), (2,), (4,))]
    report = dimension_tables.report(results)
    actions, states = report.tables
    assert len(actions.rows) == 5 and len(states.rows) == 5
    assert report.pictures["dimension.png"].startswith(b"\x89PNG")
    row = next(row for row in states.rows if row[:2] == ("support, M = 16", "4"))
    assert row[-2:] == ("4", "1")
