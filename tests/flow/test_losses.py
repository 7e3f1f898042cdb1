"""The losses, and the theorem behind them: the weighted minimiser is the guided field."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from qipo_ray.flow import (
    MIN_TIME,
    Field,
    Path,
    Prediction,
    batch_loss,
    batch_weights,
    contrastive_loss,
    draw_by_weight,
    effective_sample_size,
    path_named,
    regression_loss,
    support_weights,
    weighted_loss,
)
from qipo_ray.flow.known import Mixture

F64 = torch.float64
Shares = Callable[[Path, Prediction, Tensor], tuple[Tensor, Tensor]]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


@pytest.mark.parametrize("beta", [0.0, 1.5])
def test_the_weighted_minimiser_is_the_guided_field_of_a_gaussian(
    path: Path, predicts: Prediction, shares: Shares, beta: float
) -> None:
    """p = N(0, 1) and E = x give q = N(-beta, 1), whose field is affine.

    At each time the best affine predictor ``a x + b`` solves weighted normal equations in closed
    form over many samples; it must be the regression line of the target on x under q.
    """
    data, noise = normal(2, 20_000, 1)
    weights = batch_weights(data[:, 0], beta)
    field = Field(path, predicts, lambda x, t: x)
    for t in (0.4, 0.8):
        times = torch.full((len(data),), t, dtype=F64)
        x, target = path.noised(data, noise, times), field.target(data, noise, times)
        design = torch.cat([x, torch.ones_like(x)], 1)
        gram = (design * weights[:, None]).T @ design
        a, b = torch.linalg.solve(gram, (design * weights[:, None]).T @ target)[:, 0].tolist()

        at = torch.tensor(t, dtype=F64)
        alpha, sigma = (c.item() for c in path.coefficients(at)[:2])
        # the target is c x_0 + d eps, of mean -c beta under q; x is of mean -alpha beta
        c, d = (share.item() for share in shares(path, predicts, at))
        slope = (c * alpha + d * sigma) / (alpha**2 + sigma**2)
        offset = -c * beta + slope * alpha * beta
        scatter = math.hypot(c, d) / math.hypot(alpha, sigma)
        scatter *= (1 + beta) / math.sqrt(effective_sample_size(weights).item())
        assert a == pytest.approx(slope, abs=5 * scatter)
        assert b == pytest.approx(offset, abs=8 * scatter)


@pytest.mark.slow_after(10)
@pytest.mark.parametrize("energy", ["linear", "component"])
def test_the_exact_field_leaves_no_weighted_residual(
    path: Path, predicts: Prediction, shares: Shares, energy: str
) -> None:
    """On curved fields: E[w (target - v) f(x_t, t)] = 0 for every f where v is the minimum.

    Five test functions, Monte Carlo within 4.5 standard errors; the unguided field is far outside.
    """
    slope, energies = torch.tensor([0.7, -0.4], dtype=F64), torch.tensor([0.0, -1.0], dtype=F64)
    law = Mixture(
        torch.zeros(2, dtype=F64),
        torch.tensor([[1.0, 0.5], [-1.0, 0.2]], dtype=F64),
        torch.tensor([0.6, 0.4], dtype=F64),
    )
    data, chosen = law.sample(12_000, torch.Generator().manual_seed(1))
    if energy == "linear":
        guided, cost = law.tilted_linearly(slope, 1.2), data @ slope
    else:
        guided, cost = law.tilted_by_component(energies, 1.2), energies[chosen]
    weights = batch_weights(cost, 1.2)
    noise = normal(len(data), 2, seed=2)
    t = 0.2 + 0.7 * torch.rand(len(data), generator=torch.Generator().manual_seed(3), dtype=F64)
    x, target = (
        path.noised(data, noise, t),
        Field(path, predicts, lambda x, t: x).target(data, noise, t),
    )

    of_data, of_noise = (share[:, None] for share in shares(path, predicts, t))

    def z_scores(mixture: Mixture) -> Tensor:
        expected_data, expected_noise = mixture.field(path).data_and_noise(x, t)
        value = of_data * expected_data + of_noise * expected_noise
        functions = torch.stack([torch.ones_like(t), x[:, 0], x[:, 1], t, torch.sin(2 * x[:, 0])])
        terms = functions[..., None] * (weights[:, None] * (target - value))  # (F, n, 2)
        return (terms.mean(1) / terms.std(1)).abs() * math.sqrt(len(x))

    assert z_scores(guided).max() < 4.5
    assert z_scores(law).max() > 9


def test_regression_loss_is_the_squared_error_summed_over_dimensions(
    path: Path, predicts: Prediction, shares: Shares
) -> None:
    """Per sample, for batches of any shape, by a loop over elements."""
    data, noise = normal(2, 2, 3, 4)
    t = torch.linspace(MIN_TIME, 1, 6, dtype=F64).view(2, 3)
    losses = regression_loss(Field(path, predicts, lambda x, t: x * t[..., None]), data, noise, t)
    assert losses.shape == (2, 3)
    for i in range(2):
        for j in range(3):
            alpha, sigma = (c.item() for c in path.coefficients(t[i, j])[:2])
            c, d = (share.item() for share in shares(path, predicts, t[i, j]))
            total = 0.0
            for x0, eps in zip(data[i, j].tolist(), noise[i, j].tolist(), strict=True):
                total += ((alpha * x0 + sigma * eps) * t[i, j].item() - c * x0 - d * eps) ** 2
            assert losses[i, j].item() == pytest.approx(total, rel=1e-12)


def test_contrastive_loss_is_the_cross_entropy_of_weights_and_energies() -> None:
    """By a loop over states and actions; it is least where f tells the weights."""
    energies, values = normal(3, 2, 3, 4)[0], normal(4, 2, 3, 4)[0]
    weights = torch.softmax(1.5 * values, -1)
    losses = contrastive_loss(energies, weights)
    for n in range(2):
        total = 0.0
        for f, w in zip(energies[n].tolist(), weights[n].tolist(), strict=True):
            whole = sum(math.exp(value) for value in f)
            total -= sum(w[j] * math.log(math.exp(f[j]) / whole) for j in range(4))
        assert losses[n].item() == pytest.approx(total / 3, rel=1e-12)
    least = contrastive_loss(1.5 * values + 7, weights)
    assert (least < losses).all() and (least < contrastive_loss(1.4 * values, weights)).all()


@pytest.mark.parametrize("bad", [-0.1, 1.1, math.nan])
def test_times_outside_the_path_are_refused(bad: float) -> None:
    field = Field(path_named("ot"), "velocity", lambda x, t: x)
    with pytest.raises(ValueError, match=r"times lie in \[0, 1\]"):
        regression_loss(field, torch.zeros(1, 2), torch.zeros(1, 2), torch.tensor([bad]))


def test_batch_loss_is_the_ratio_of_means() -> None:
    """Algorithm 1: mean(exp(-beta E) l) / mean(exp(-beta E)), by a loop."""
    energy, losses = normal(2, 400)
    factors = [math.exp(-0.8 * e) for e in energy.tolist()]
    weighted = [f * loss for f, loss in zip(factors, losses.tolist(), strict=True)]
    expected = sum(weighted) / sum(factors)
    assert batch_loss(losses, batch_weights(energy, 0.8)).item() == pytest.approx(expected)


def test_batch_loss_reduces_the_last_dimension_only() -> None:
    energy, losses = normal(2, 3, 50)
    beta = torch.tensor([[0.0], [0.5], [1.0]], dtype=F64)
    together = batch_loss(losses, batch_weights(energy, beta))
    for i in range(3):
        alone = batch_loss(losses[i], batch_weights(energy[i], beta[i].item()))
        torch.testing.assert_close(together[i], alone)


def test_weighted_loss_is_the_mean_over_states_of_sums_over_actions() -> None:
    """Equation 5.2, by a loop over members, states and actions."""
    values, losses = normal(2, 2, 5, 8)
    beta = torch.tensor([[0.5], [3.0]], dtype=F64)
    actual = weighted_loss(losses, support_weights(values, beta))
    for n in range(2):
        total = 0.0
        for b in range(5):
            factors = [math.exp(beta[n].item() * q) for q in values[n, b].tolist()]
            pairs = zip(factors, losses[n, b].tolist(), strict=True)
            total += sum(f * loss for f, loss in pairs) / sum(factors)
        assert actual[n].item() == pytest.approx(total / 5)


@pytest.mark.parametrize("batch", [41, 47, 49, 64, 83, 256, 1000])
@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_zero_beta_is_unweighted_training_to_the_bit(batch: int, dtype: torch.dtype) -> None:
    """Loss and gradient; B softmax(0) would not be 1 for every B."""
    energy, values = normal(2, batch).to(dtype)
    plain, weighted = values.clone().requires_grad_(), values.clone().requires_grad_()
    plain.square().mean().backward()
    loss = batch_loss(weighted.square(), batch_weights(energy, 0.0))
    loss.backward()
    assert loss.item() == plain.square().mean().item()
    assert plain.grad is not None and weighted.grad is not None
    assert torch.equal(plain.grad, weighted.grad)


def test_zero_beta_on_a_support_is_the_plain_mean_to_the_bit() -> None:
    values, losses = normal(2, 2, 16, 64).float()
    weights = support_weights(values, torch.zeros(2, 1))
    plain = losses.mean(-1).mean(-1)
    assert torch.equal(weighted_loss(losses, weights), plain)


def test_a_constant_added_to_the_energy_changes_nothing() -> None:
    """To the bit where the sum is exact in floating point, else to rounding."""
    energy, losses = normal(2, 2, 5, 64)
    beta = torch.tensor([[1.0], [7.0]], dtype=F64)
    exact = (energy * 64).round() / 64
    assert torch.equal(batch_weights(exact, 0.5), batch_weights(exact + 1024, 0.5))
    assert torch.equal(support_weights(exact, beta), support_weights(exact + 1024, beta))
    for shift in (-3.3, 1e3):
        moved = support_weights(energy + shift, beta)
        torch.testing.assert_close(support_weights(energy, beta), moved)
        torch.testing.assert_close(
            batch_loss(losses, batch_weights(energy, 0.5)),
            batch_loss(losses, batch_weights(energy + shift, 0.5)),
        )


def test_a_loss_over_drawn_actions_has_the_expectation_of_the_weighted_loss() -> None:
    """k of M drawn by weight, plain mean: within 4 standard errors over many draws."""
    values, losses = normal(2, 1, 3, 16)
    weights = support_weights(values, torch.tensor([[2.0]], dtype=F64))
    drawn = draw_by_weight(weights.expand(20_000, 3, 16), 4, torch.Generator().manual_seed(0))
    assert drawn.shape == (20_000, 3, 4)
    means = losses.expand(20_000, 3, 16).gather(-1, drawn).mean((1, 2))
    error = means.std() / math.sqrt(len(means))
    assert (means.mean() - weighted_loss(losses, weights)[0]).abs() < 4 * error
    assert (means.mean() - losses.mean()).abs() > 20 * error


def test_gradient_of_the_weighted_loss_matches_an_independent_loop(path: Path) -> None:
    """One linear 'network', two states of three actions: gradient by hand against autograd."""
    actions, noise = normal(2, 1, 2, 3, 2)
    t = torch.rand(1, 2, 3, generator=torch.Generator().manual_seed(2), dtype=F64) * 0.9 + 0.05
    values = normal(1, 2, 3, seed=3)
    weights = support_weights(values, torch.tensor([[2.0]], dtype=F64))
    scale = torch.tensor(0.7, dtype=F64, requires_grad=True)
    field = Field(path, "noise", lambda x, t: scale * x)
    weighted_loss(regression_loss(field, actions, noise, t), weights).sum().backward()
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
