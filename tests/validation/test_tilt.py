"""The Gaussian tilt: errors measured, small samples foreoutcome."""

from __future__ import annotations

import math
from dataclasses import asdict

import pytest
import torch

from qipo_ray.flow import Field, path_named
from qipo_ray.flow.known import Mixture
from qipo_ray.validation.learner import TrainingPlan
from qipo_ray.validation.tilt import (
    SLOPE,
    TRAINED_BATCHES,
    FieldCell,
    cells,
    field_errors,
    report,
    shortfall,
)

LAW = Mixture.gaussian(torch.zeros(2)).tilted_linearly(SLOPE, 1.0)


@pytest.mark.parametrize("path", ["ot", "vp", "trig"])
def test_the_error_of_a_scaled_field_is_its_scale(path: str) -> None:
    exact = LAW.field(path_named(path))
    generator = torch.Generator().manual_seed(0)
    assert field_errors(exact, exact, LAW, generator) == {"velocity_error": 0, "noise_error": 0}
    scaled = Field(exact.path, "velocity", lambda x, t: 1.1 * exact.velocity(x, t))
    errors = field_errors(scaled, exact, LAW, generator)
    assert errors["velocity_error"] == pytest.approx(0.1, rel=1e-3) and errors["noise_error"] > 0


@pytest.mark.slow
@pytest.mark.parametrize(("beta", "batch"), [(1.0, 64), (1.5, 256), (2.0, 4096)])
def test_the_mean_falls_short_by_one_over_the_effective_samples(beta: float, batch: int) -> None:
    """First order in 1 / batch: ``E[sum w x / sum w] = -beta (1 - exp(beta²) / batch)``."""
    expected = math.exp(beta**2) / batch
    assert shortfall(beta, batch, draws=4000) == pytest.approx(expected, rel=0.35)


@pytest.mark.slow
def test_a_report_of_every_cell() -> None:
    """Of numbers that are made up: test_toy.py trains."""
    plan = TrainingPlan(updates=20, batch=64, weighed=256, width=16, blocks=1)
    errors = {"velocity_error": 0.5, "noise_error": 0.5, "mean_reached": 0.9}
    results = [
        asdict(cell) | asdict(cell.plan) | errors
        for cell in cells(1, plan)
        if isinstance(cell, FieldCell)
    ]
    assert len(results) == 3 * 4 + 3 * len(TRAINED_BATCHES)
    outcome = report(results)
    assert len(outcome.targets) == 12 and not all(target.met for target in outcome.targets)
    assert [row[1] for row in outcome.tables[2].rows] == [
        str(b) for b in TRAINED_BATCHES for _ in "123"
    ]


@pytest.mark.slow
def test_rounds_build_on_the_samples_of_the_round_before() -> None:
    """Two rounds of beta / 2 reach the tilt of beta (equation 5.4)."""
    plan = TrainingPlan(updates=250, batch=256, weighed=1024, width=32)
    reached = {
        rounds: FieldCell("ot", "velocity", 1.0, "drawn", rounds, 0, plan).run()["mean_reached"]
        for rounds in (1, 2)
    }
    assert reached[1] == pytest.approx(1, abs=0.1) and reached[2] == pytest.approx(1, abs=0.1)
