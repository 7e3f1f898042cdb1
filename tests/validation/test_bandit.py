"""The bandit: its closed form, and the ways to weigh its pairs."""

from __future__ import annotations

import pytest
import torch

from qipo_ray.validation.bandit import ESTIMATORS, Bandit, batch_pairs


def test_the_tilt_of_the_bandit_is_its_closed_form() -> None:
    """Importance weights over actions of one state against ``W s - c(s)``."""
    bandit, generator = Bandit.from_state_dim(8), torch.Generator().manual_seed(0)
    states, actions, energies = bandit.draw(3, 50_000, generator)
    weights = torch.softmax(-energies, 1)
    means = (weights.unsqueeze(-1) * actions).sum(1)
    torch.testing.assert_close(means, bandit.means(states, 1.0), atol=0.04, rtol=0)
    torch.testing.assert_close(bandit.slopes(states).norm(dim=1), torch.ones(3))


def test_the_batch_estimator_tilts_the_states() -> None:
    """Their law becomes ``p(s) exp(-c(s) · W s)`` up to a constant: ``c(s) · W s`` falls."""
    bandit, generator = Bandit.from_state_dim(8), torch.Generator().manual_seed(0)
    states, _, weights = batch_pairs(bandit, 100_000, generator)
    heights = (bandit.slopes(states) * bandit.means(states, 0.0)).sum(1)
    tilted = torch.softmax(-heights, 0)
    assert float((weights * heights).mean()) == pytest.approx(float(tilted @ heights), abs=0.08)
    assert float((weights * heights).mean()) < float(heights.mean()) - 0.5


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_costs_the_same_passes(name: str) -> None:
    states, actions, weights = ESTIMATORS[name](Bandit.from_state_dim(4), 128, torch.Generator())
    assert states.shape == (128, 4) and actions.shape == (128, 4)
    assert float(weights.mean()) == pytest.approx(1.0, abs=1e-5)


def test_support_weights_sum_over_the_actions_of_a_state() -> None:
    states, _, weights = ESTIMATORS["support 16"](Bandit.from_state_dim(4), 64, torch.Generator())
    torch.testing.assert_close(weights.view(4, 16).sum(1), torch.full((4,), 16.0))
    assert len(states.unique(dim=0)) == 4
