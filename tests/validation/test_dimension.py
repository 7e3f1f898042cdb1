"""Growing dimensions: the bandit's closed form, the ways to weigh pairs, cells and report."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from qipo_ray.flow import Field, path_named
from qipo_ray.flow.known import Mixture
from qipo_ray.validation import dimension, dimension_board
from qipo_ray.validation.dimension import ActionCell, StateCell, antithetic, cells, field_gaps
from qipo_ray.validation.learner import TrainingPlan
from qipo_ray.validation.states import ESTIMATORS, Bandit, batch_pairs


@pytest.fixture(autouse=True)
def few_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dimension, "POINTS", 256)
    monkeypatch.setattr(dimension, "STATES", 32)


def test_the_tilt_of_the_bandit_is_its_closed_form() -> None:
    """Importance weights over actions of one state against ``W s - c(s)``."""
    bandit, generator = Bandit.of(8), torch.Generator().manual_seed(0)
    states, actions, energies = bandit.draw(3, 50_000, generator)
    weights = torch.softmax(-energies, 1)
    means = (weights.unsqueeze(-1) * actions).sum(1)
    torch.testing.assert_close(means, bandit.means(states, 1.0), atol=0.04, rtol=0)
    torch.testing.assert_close(bandit.slopes(states).norm(dim=1), torch.ones(3))


def test_the_batch_estimator_tilts_the_states() -> None:
    """Their law becomes ``p(s) exp(-c(s) · W s)`` up to a constant: ``c(s) · W s`` falls."""
    bandit, generator = Bandit.of(8), torch.Generator().manual_seed(0)
    states, _, weights = batch_pairs(bandit, 100_000, generator)
    heights = (bandit.slopes(states) * bandit.means(states, 0.0)).sum(1)
    own = torch.softmax(-heights, 0)
    assert float((weights * heights).mean()) == pytest.approx(float(own @ heights), abs=0.08)
    assert float((weights * heights).mean()) < float(heights.mean()) - 0.5


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_costs_the_same_passes(name: str) -> None:
    states, actions, weights = ESTIMATORS[name](Bandit.of(4), 128, torch.Generator())
    assert states.shape == (128, 4) and actions.shape == (128, 4)
    assert float(weights.mean()) == pytest.approx(1.0, abs=1e-5)


def test_support_weights_sum_over_the_actions_of_a_state() -> None:
    states, _, weights = ESTIMATORS["support 16"](Bandit.of(4), 64, torch.Generator())
    torch.testing.assert_close(weights.view(4, 16).sum(1), torch.full((4,), 16.0))
    assert len(states.unique(dim=0)) == 4


def test_gaps_of_the_exact_field_are_zero_and_of_a_zero_field_minus_it() -> None:
    path, law = path_named("ot"), Mixture.gaussian(torch.full((3,), -0.5))
    data, _ = law.sample(64, torch.Generator().manual_seed(0))
    exact = law.field(path)
    gaps, wanted = field_gaps(exact, exact, data, torch.Generator().manual_seed(1))
    assert not gaps.any() and wanted.any()
    zero = Field(path, "velocity", lambda x, t: torch.zeros_like(x))
    gaps, wanted = field_gaps(zero, exact, data, torch.Generator().manual_seed(1))
    assert torch.equal(gaps, -wanted)


def test_antithetic_noise_has_mean_zero_in_every_pair() -> None:
    noise = antithetic(6, 5, torch.Generator().manual_seed(0))
    assert noise.shape == (6, 5)
    assert not noise.view(3, 2, 5).sum(1).any()


def test_cells_differ_and_are_reproducible(plan: TrainingPlan) -> None:
    whole = list(cells(2, plan))
    assert len({cell.file for cell in whole}) == len(whole) == 100
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
    report = dimension_board.report(results)
    actions, states = report.tables
    assert len(actions.rows) == 5 and len(states.rows) == 5
    assert report.pictures["dimension.png"].startswith(b"\x89PNG")
    row = next(row for row in states.rows if row[:2] == ("support, M = 16", "4"))
    assert row[-2:] == ("4", "1")
