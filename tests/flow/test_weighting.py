"""Weights: formulas by hand, health, and what is said of bad ones."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from qipo_ray.flow import (
    WeightWarning,
    batch_weights,
    draw_by_weight,
    effective_sample_size,
    entropy,
    support_weights,
)

F64 = torch.float64


def test_batch_weights_are_factors_over_their_mean() -> None:
    energy = torch.tensor([0.0, 1.0, 2.0, 0.5])
    factors = [math.exp(-0.7 * e) for e in energy.tolist()]
    expected = torch.tensor([f * 4 / sum(factors) for f in factors])
    torch.testing.assert_close(batch_weights(energy, 0.7), expected)
    torch.testing.assert_close(batch_weights(energy.expand(3, 4), 0.7), expected.expand(3, 4))


def test_large_energies_do_not_overflow() -> None:
    energy = torch.cat([torch.full((64,), -1e4), torch.full((64,), 1e4)])
    weights = batch_weights(energy, 10.0)
    assert weights.tolist() == [2.0] * 64 + [0.0] * 64


def test_each_member_has_its_own_beta() -> None:
    values = torch.tensor([[[0.0, 1.0]], [[0.0, 1.0]]])
    weights = support_weights(values, torch.tensor([[0.0], [math.log(3)]]))
    torch.testing.assert_close(weights, torch.tensor([[[0.5, 0.5]], [[0.25, 0.75]]]))


def test_support_weights_carry_no_gradient() -> None:
    values = torch.randn(1, 2, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    assert not support_weights(values, torch.ones(1, 1)).requires_grad


def test_effective_sample_size_and_entropy_of_known_weights() -> None:
    weights = torch.tensor([[0.25] * 4, [1.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0]])
    torch.testing.assert_close(effective_sample_size(weights), torch.tensor([4.0, 1.0, 2.0]))
    torch.testing.assert_close(effective_sample_size(7 * weights), torch.tensor([4.0, 1.0, 2.0]))
    expected = torch.tensor([math.log(4), 0.0, math.log(2)])
    torch.testing.assert_close(entropy(weights), expected)


@pytest.mark.parametrize("beta", [0.5, 1.0])
def test_a_linear_energy_on_a_gaussian_leaves_a_share_of_exp_minus_beta_squared(
    beta: float,
) -> None:
    """(E e^{-beta x})² / E e^{-2 beta x} of a standard normal."""
    x = torch.randn(200_000, generator=torch.Generator().manual_seed(0), dtype=F64)
    share = effective_sample_size(batch_weights(x, beta)).item() / len(x)
    assert share == pytest.approx(math.exp(-(beta**2)), rel=0.05)


def test_the_batch_estimator_falls_short_by_one_over_the_effective_sample_size() -> None:
    """The mean of the tilt, -beta, averaged over many batches: short by a share of 1 / ESS."""
    x = torch.randn(20_000, 64, generator=torch.Generator().manual_seed(0))
    with pytest.warns(WeightWarning):
        means = (batch_weights(x, 1.0) * x).mean(-1)
    shortfall = 1 + means.mean().item()
    assert shortfall == pytest.approx(1 / (64 * math.exp(-1)), rel=0.25)


def test_drawing_follows_the_weights_in_every_row() -> None:
    weights = torch.tensor(
        [[[0.1, 0.2, 0.7], [0.0, 1.0, 0.0]], [[3.0, 3.0, 6.0], [1.0, 0.0, 1.0]]]
    )
    drawn = draw_by_weight(weights, 40_000, torch.Generator().manual_seed(0))
    assert drawn.shape == (2, 2, 40_000)
    share = torch.nn.functional.one_hot(drawn, 3).float().mean(2)
    expected = weights / weights.sum(-1, keepdim=True)
    torch.testing.assert_close(share, expected, atol=0.01, rtol=0)
    again = draw_by_weight(weights, 40_000, torch.Generator().manual_seed(0))
    assert torch.equal(drawn, again)
    one_row = draw_by_weight(weights[0, 0], 5, torch.Generator().manual_seed(0))
    assert one_row.shape == (5,)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("beta", [0.0, 2.0])
def test_energies_that_are_not_finite_are_refused(bad: float, beta: float) -> None:
    energy = torch.zeros(2, 4)
    energy[1, 2] = bad
    with pytest.raises(
        ValueError, match="1 of 8 values of -beta E are not finite .*bound or drop"
    ):
        batch_weights(energy, beta)
    with pytest.raises(ValueError, match="1 of 8 values of beta Q are not finite"):
        support_weights(energy.view(1, 2, 4), torch.full((1, 1), beta))


@pytest.mark.parametrize("beta", [math.nan, math.inf])
def test_a_beta_that_is_not_finite_is_refused(beta: float) -> None:
    with pytest.raises(ValueError, match="are not finite"):
        batch_weights(torch.ones(4), beta)
    with pytest.raises(ValueError, match="are not finite"):
        support_weights(torch.ones(1, 2, 4), torch.full((1, 1), beta))


def spread(count: int) -> Tensor:
    return torch.linspace(0, 1, count)


def test_a_batch_that_rests_on_few_samples_warns_and_says_what_to_do() -> None:
    with pytest.warns(
        WeightWarning, match=r"^\d+\.\d of 256 samples carry .*draw_by_weight"
    ) as seen:
        batch_weights(spread(256), 10.0)
    assert seen[0].filename == __file__  # points at the caller
    with pytest.warns(WeightWarning, match=r"^1\.0 of 8 samples"):
        batch_weights(spread(8), 1000.0)
    with pytest.warns(WeightWarning, match=r"^1\.0 of 8"):  # the worst row counts
        batch_weights(torch.stack([torch.zeros(8), spread(8)]), 1000.0)


@pytest.mark.parametrize(
    ("count", "beta"), [(256, 0.0), (256, 4.0), (4096, 50.0), (8, 1.0), (1, 9.0)]
)
def test_a_healthy_batch_does_not_warn(count: int, beta: float) -> None:
    batch_weights(spread(count), beta)  # warnings are errors here


def test_collapsed_support_weights_warn_and_say_what_to_do() -> None:
    values = spread(8).expand(2, 3, 8)
    with pytest.warns(WeightWarning, match=r"1\.00 of 8 support actions .*smaller beta") as seen:
        support_weights(values, torch.tensor([[1.0], [1000.0]]))
    assert seen[0].filename == __file__
    support_weights(values, torch.tensor([[1.0], [10.0]]))  # and healthy ones do not
    support_weights(torch.zeros(1, 3, 1), torch.ones(1, 1))  # nor a support of one action
