"""The theorem behind it all: the minimiser of the weighted loss is the guided field."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from qipo_ray.flow import (
    batch_weights,
    effective_sample_size,
    entropy,
    path_named,
    regression_loss,
    support_weights,
    weighted_loss,
)


@pytest.mark.parametrize("name", ["ot", "vp"])
@pytest.mark.parametrize("beta", [0.0, 1.0, 2.0])
def test_the_weighted_minimiser_is_the_guided_field(name: str, beta: float) -> None:
    """Gaussian tilt: p = N(0, 1), E = x gives q = N(-beta, 1), whose field is known.

    At each time the best affine predictor ``a x + b`` solves weighted normal equations in closed
    form over many samples; it must be the exact conditional expectation under q.
    """
    path = path_named(name)
    generator = torch.Generator().manual_seed(0)
    data = torch.randn(400_000, 1, generator=generator, dtype=torch.float64)
    noise = torch.randn(400_000, 1, generator=generator, dtype=torch.float64)
    weights = batch_weights(data[:, 0], beta)
    for t in (0.2, 0.6, 0.9):
        times = torch.full((len(data),), t, dtype=torch.float64)
        x, target = path.noised(data, noise, times), path.target(data, noise, times)
        design = torch.cat([x, torch.ones_like(x)], 1)
        gram = (design * weights[:, None]).T @ design
        a, b = torch.linalg.solve(gram, (design * weights[:, None]).T @ target)[:, 0].tolist()

        alpha, sigma, d_alpha, d_sigma = (
            c.item() for c in path.coefficients(torch.tensor(t, dtype=torch.float64))
        )
        variance = alpha**2 + sigma**2
        # under q: E[x0 | x] = -beta + alpha/variance (x + alpha beta), E[eps | x] likewise
        slope_data, slope_noise = alpha / variance, sigma / variance
        if path.predicts == "noise":
            slope, offset = slope_noise, slope_noise * alpha * beta
        else:
            slope = d_alpha * slope_data + d_sigma * slope_noise
            offset = d_alpha * (-beta) + slope * alpha * beta
        size = 3 * (1 + abs(beta)) / math.sqrt(effective_sample_size(weights).item())
        assert a == pytest.approx(slope, abs=3 * size)
        assert b == pytest.approx(offset, abs=6 * size)
        if beta:  # and it is not the unguided field
            assert abs(b) > 10 * size or abs(offset) < 20 * size


def test_regression_loss_is_the_squared_error_summed_over_dimensions() -> None:
    path = path_named("ot")
    data, noise = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, -1.0]])
    loss = regression_loss(path, lambda x, t: x, data, noise, torch.tensor([0.25]))
    x = 0.75 * data + 0.25 * noise
    expected = ((x - (noise - data)) ** 2).sum(-1)
    torch.testing.assert_close(loss, expected)


def test_zero_beta_is_the_plain_mean_and_a_shift_of_energy_changes_nothing() -> None:
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(2, 5, 8, generator=generator)
    losses = torch.rand(2, 5, 8, generator=generator)
    zero = support_weights(values, torch.zeros(2, 1))
    torch.testing.assert_close(weighted_loss(losses, zero), losses.mean((1, 2)))
    beta = torch.tensor([[1.0], [7.0]])
    torch.testing.assert_close(
        support_weights(values, beta), support_weights(values + 3, beta), rtol=1e-4, atol=1e-5
    )


def test_each_member_has_its_own_beta() -> None:
    values = torch.tensor([[[0.0, 1.0]], [[0.0, 1.0]]])
    weights = support_weights(values, torch.tensor([[0.0], [math.log(3)]]))
    torch.testing.assert_close(weights, torch.tensor([[[0.5, 0.5]], [[0.25, 0.75]]]))


def test_health_of_weights() -> None:
    equal, peaked = torch.full((4,), 0.25), torch.tensor([1.0, 0.0, 0.0, 0.0])
    stacked = torch.stack([equal, peaked])
    torch.testing.assert_close(effective_sample_size(stacked), torch.tensor([4.0, 1.0]))
    torch.testing.assert_close(entropy(stacked), torch.tensor([math.log(4), 0.0]))
    assert batch_weights(torch.arange(5.0), 0.5).mean().item() == pytest.approx(1.0)


def test_gradient_of_the_weighted_loss_matches_an_independent_loop() -> None:
    """One linear 'network', two states of three actions: gradient by hand against autograd."""
    path = path_named("vp")
    generator = torch.Generator().manual_seed(2)
    actions = torch.randn(1, 2, 3, 2, generator=generator, dtype=torch.float64)
    noise = torch.randn(1, 2, 3, 2, generator=generator, dtype=torch.float64)
    t = torch.rand(1, 2, 3, generator=generator, dtype=torch.float64) * 0.9 + 0.05
    values = torch.randn(1, 2, 3, generator=generator, dtype=torch.float64)
    weights = support_weights(values, torch.tensor([[2.0]], dtype=torch.float64))
    scale = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)

    def network(x: Tensor, t: Tensor) -> Tensor:
        return scale * x

    loss = weighted_loss(regression_loss(path, network, actions, noise, t), weights)
    loss.sum().backward()
    expected = 0.0
    for i in range(2):
        norm = sum(math.exp(2 * values[0, i, k].item()) for k in range(3))
        for j in range(3):
            alpha, sigma, _, _ = (c.item() for c in path.coefficients(t[0, i, j]))
            x = alpha * actions[0, i, j] + sigma * noise[0, i, j]
            w = math.exp(2 * values[0, i, j].item()) / norm
            expected += w * (2 * (0.7 * x - noise[0, i, j]) * x).sum().item() / 2
    assert scale.grad is not None
    assert scale.grad.item() == pytest.approx(expected, rel=1e-9)
