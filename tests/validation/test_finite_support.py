"""The law of finite support sets against enumeration, and the guidance read off a law."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from qipo_ray.validation.finite_support import (
    implied_beta,
    laws_of_rounds,
    mean_value,
    support_law,
    tilted,
)

VALUES = torch.tensor([0.0, 0.3, 1.0])
MASSES = torch.tensor([0.5, 0.3, 0.2])
EIGHT, UNIFORM = torch.arange(8) / 7, torch.full((8,), 1 / 8)


def enumerated(masses: Tensor, values: Tensor, beta: float, support_size: int) -> Tensor:
    """Return the law by going through every ordered set of actions."""
    law = torch.zeros(len(masses), dtype=torch.float64)
    for actions in itertools.product(range(len(masses)), repeat=support_size):
        chosen = torch.tensor(actions)
        chance = masses.double()[chosen].prod()
        law.index_add_(0, chosen, chance * torch.softmax(beta * values.double()[chosen], 0))
    return law


@pytest.mark.parametrize("support_size", [1, 2, 3, 6])
@pytest.mark.parametrize("beta", [0.0, 3.0, 30.0])
def test_the_law_is_the_mean_over_all_sets(support_size: int, beta: float) -> None:
    law = support_law(MASSES, VALUES, beta, support_size)
    expected = enumerated(MASSES, VALUES, beta, support_size)
    torch.testing.assert_close(law, expected / expected.sum(), atol=1e-9, rtol=0)


def test_the_law_agrees_with_simulated_sets() -> None:
    generator = torch.Generator().manual_seed(0)
    modes = torch.randint(8, (200_000, 16), generator=generator)
    weights = torch.softmax(10.0 * EIGHT[modes], 1)
    shares = torch.zeros(8).index_add_(0, modes.flatten(), weights.flatten()) / 200_000
    torch.testing.assert_close(
        support_law(UNIFORM, EIGHT, 10.0, 16).float(), shares, atol=2e-3, rtol=0
    )


def test_large_sets_reach_the_tilt() -> None:
    law = support_law(MASSES, VALUES, 3.0, 100_000)
    torch.testing.assert_close(law, tilted(MASSES, VALUES, 3.0), atol=1e-4, rtol=0)


@pytest.mark.parametrize(("support_size", "expected"), [(4, 3.78), (16, 8.14), (64, 9.64)])
def test_one_round_of_ten_is_worth_less_on_small_sets(support_size: int, expected: float) -> None:
    law = support_law(UNIFORM, EIGHT, 10.0, support_size)
    assert implied_beta(law, UNIFORM, EIGHT) == pytest.approx(expected, abs=0.01)


def test_rounds_start_from_the_law_before() -> None:
    first, second = laws_of_rounds(MASSES, VALUES, 2.0, 4, 2)
    assert torch.equal(first, support_law(MASSES, VALUES, 2.0, 4))
    assert torch.equal(second, support_law(first, VALUES, 2.0, 4))


@pytest.mark.parametrize("beta", [-2.0, 0.0, 0.7, 12.5])
def test_the_implied_beta_of_a_tilt_is_its_beta(beta: float) -> None:
    law = tilted(MASSES, VALUES, beta)
    assert implied_beta(law, MASSES, VALUES) == pytest.approx(beta, abs=1e-6)


def test_the_implied_beta_has_the_most_likelihood() -> None:
    masses = torch.tensor([0.2, 0.45, 0.35])  # no tilt of the prior

    def likelihood(beta: float) -> float:
        return float((masses.double() * tilted(MASSES, VALUES, beta).log()).sum())

    best = implied_beta(masses, MASSES, VALUES)
    assert all(likelihood(best) > likelihood(best + gap) for gap in (-0.01, 0.01))


def test_the_mean_of_a_law() -> None:
    assert mean_value(MASSES, VALUES) == pytest.approx(0.29)
