"""Closed forms against brute force: weighting, the paper's integral, automatic differentiation."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from qipo_ray.flow import Path
from qipo_ray.flow.known import Mixture
from qipo_ray.flow.paths import PATHS

F64 = torch.float64
BETA = 1.5
SLOPE = torch.tensor([0.8, -0.5], dtype=F64)
ENERGIES = torch.tensor([0.4, -1.0, 0.1], dtype=F64)
POINTS = torch.tensor([[0.0, 0.0], [1.3, -0.7], [-2.0, 1.1], [0.4, 2.2]], dtype=F64)
NAMES = list(PATHS)


def log_density(mixture: Mixture, path: Path, x: Tensor, t: Tensor) -> Tensor:
    """Return log p_t(x) by torch's own mixtures of N(alpha m, (alpha² s² + sigma²) I)."""
    alpha, sigma, _, _ = path.coefficients(t)
    variances = alpha**2 * mixture.deviations**2 + sigma**2
    eye = torch.eye(mixture.means.shape[1], dtype=F64)
    components = MultivariateNormal(alpha * mixture.means, variances[:, None, None] * eye)
    law = MixtureSameFamily(Categorical(logits=mixture.log_weights), components)
    value: Tensor = law.log_prob(x)
    return value


@pytest.fixture(scope="module")
def mixture() -> Mixture:
    """Three components of different weight and width."""
    return Mixture(
        torch.tensor([0.3, -0.4, 0.0], dtype=F64),
        torch.tensor([[1.0, 0.5], [-1.2, 0.3], [0.2, -1.5]], dtype=F64),
        torch.tensor([0.6, 0.5, 0.8], dtype=F64),
    )


@pytest.fixture(scope="module")
def pool(mixture: Mixture) -> tuple[Tensor, Tensor]:
    """Many samples with their components."""
    return mixture.sample(200_000, torch.Generator().manual_seed(0))


def test_samples_follow_the_law(mixture: Mixture, pool: tuple[Tensor, Tensor]) -> None:
    points, chosen = pool
    masses = torch.exp(mixture.log_weights) / torch.exp(mixture.log_weights).sum()
    torch.testing.assert_close(mixture.masses, masses)
    share = torch.bincount(chosen) / len(chosen)
    torch.testing.assert_close(share.double(), masses, atol=0.005, rtol=0)
    torch.testing.assert_close(mixture.mean, points.mean(0), atol=0.01, rtol=0)
    for k in range(3):
        inside = points[chosen == k]
        torch.testing.assert_close(inside.mean(0), mixture.means[k], atol=0.02, rtol=0)
        spread = torch.diag(mixture.deviations[k].square().expand(2))
        torch.testing.assert_close(inside.T.cov(), spread, atol=0.015, rtol=0)


def test_gaussian_is_a_mixture_of_one() -> None:
    law = Mixture.gaussian(torch.tensor([1.0, -2.0, 0.5]), 0.7)
    assert law.masses.tolist() == [1.0] and law.mean.tolist() == [1.0, -2.0, 0.5]
    points, _ = law.sample(50_000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(points.std(0), torch.full((3,), 0.7), atol=0.01, rtol=0)


def test_linear_tilt_is_exp_minus_beta_e_times_the_density(mixture: Mixture) -> None:
    """log q - log p + beta E is one constant, minus the log of E_p[exp(-beta E)]."""
    path, start = PATHS["ot"], torch.tensor(0.0, dtype=F64)
    tilted = mixture.tilted_linearly(SLOPE, BETA)
    ratio = log_density(tilted, path, POINTS, start) - log_density(mixture, path, POINTS, start)
    constant = ratio + BETA * POINTS @ SLOPE
    grid = torch.linspace(-9, 9, 361, dtype=F64)
    plane = torch.cartesian_prod(grid, grid)
    density = log_density(mixture, path, plane, start).exp()
    norm = (density * torch.exp(-BETA * plane @ SLOPE)).sum() * (grid[1] - grid[0]) ** 2
    torch.testing.assert_close(constant, -norm.log().expand(4), rtol=1e-8, atol=1e-8)


def test_component_tilt_is_brute_force_weighting(
    mixture: Mixture, pool: tuple[Tensor, Tensor]
) -> None:
    tilted = mixture.tilted_by_component(ENERGIES, BETA)
    points, chosen = pool
    weights = torch.exp(-BETA * ENERGIES[chosen])
    masses = torch.bincount(chosen, weights) / weights.sum()
    torch.testing.assert_close(tilted.masses, masses, atol=0.006, rtol=0)
    weighted_mean = weights @ points / weights.sum()
    torch.testing.assert_close(tilted.mean, weighted_mean, atol=0.01, rtol=0)
    assert (tilted.masses - mixture.masses).abs().max() > 0.2


def test_linear_tilt_is_brute_force_weighting(
    mixture: Mixture, pool: tuple[Tensor, Tensor]
) -> None:
    points, chosen = pool
    weights = torch.exp(-0.7 * points @ SLOPE)
    tilted = mixture.tilted_linearly(SLOPE, 0.7)
    masses = torch.bincount(chosen, weights) / weights.sum()
    torch.testing.assert_close(tilted.masses, masses, atol=0.008, rtol=0)
    torch.testing.assert_close(tilted.mean, weights @ points / weights.sum(), atol=0.02, rtol=0)


def theorem_4_1(mixture: Mixture, energy: str, path: Path, x: Tensor, t: Tensor) -> Tensor:
    """Return the guided velocity at ``x (2,)`` by the paper's Theorem 4.1, as sums over a grid.

    ``∫ p(x_0 | x) u_t(x | x_0) exp(-beta E(x_0)) / exp(-E_t(x)) dx_0``, where the intermediate
    energy is ``exp(-E_t(x)) = E[exp(-beta E(x_0)) | x]``; the component is a part of ``x_0``.
    """
    alpha, sigma, d_alpha, d_sigma = path.coefficients(t)
    grid = torch.linspace(-6, 6, 161, dtype=F64)
    x0 = torch.cartesian_prod(grid, grid)  # (G, 2)
    squares = (x0[:, None] - mixture.means).square().sum(-1)
    prior = (
        mixture.masses / mixture.deviations**2 * torch.exp(-squares / (2 * mixture.deviations**2))
    )
    arrival = torch.exp(-(x - alpha * x0).square().sum(-1) / (2 * sigma**2))
    posterior = prior * arrival[:, None]  # (G, K)
    posterior = posterior / posterior.sum()
    cost = (
        (x0 @ SLOPE)[:, None].expand(-1, 3) if energy == "linear" else ENERGIES.expand(len(x0), 3)
    )
    factor = torch.exp(-BETA * cost)
    intermediate = (posterior * factor).sum()
    velocity = d_alpha * x0 + d_sigma * (x - alpha * x0) / sigma  # u_t(x | x_0)
    return torch.einsum("gk,ga->a", posterior * factor, velocity) / intermediate


@pytest.mark.slow_after(6)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("energy", ["linear", "component"])
@pytest.mark.parametrize("t", [0.2, 0.5, 0.95])
def test_guided_velocity_is_the_integral_of_theorem_4_1(
    mixture: Mixture, name: str, energy: str, t: float
) -> None:
    path, at = PATHS[name], torch.tensor(t, dtype=F64)
    if energy == "linear":
        tilted = mixture.tilted_linearly(SLOPE, BETA)
    else:
        tilted = mixture.tilted_by_component(ENERGIES, BETA)
    expected = torch.stack([theorem_4_1(mixture, energy, path, x, at) for x in POINTS])
    actual = tilted.field(path).velocity(POINTS, at)
    torch.testing.assert_close(actual, expected, rtol=1e-6, atol=1e-6)
    unguided = mixture.field(path).velocity(POINTS, at)
    assert (actual - unguided).abs().max() > 1e-2  # the tilt shows


def test_score_is_the_gradient_of_the_log_density(mixture: Mixture, path: Path) -> None:
    for t in (0.2, 0.5, 0.95):
        at = torch.tensor(t, dtype=F64)
        x = POINTS.clone().requires_grad_()
        (expected,) = torch.autograd.grad(log_density(mixture, path, x, at).sum(), x)
        torch.testing.assert_close(mixture.field(path).score(POINTS, at), expected)


def test_velocity_satisfies_the_continuity_equation(mixture: Mixture, path: Path) -> None:
    """d log p / dt + v · grad log p + div v = 0 at every point: the flow carries the densities."""
    law = mixture.tilted_linearly(SLOPE, 0.5)
    field = law.field(path)
    for t in (0.2, 0.5, 0.95):
        for point in POINTS:
            at = torch.tensor(t, dtype=F64, requires_grad=True)
            x = point.clone().requires_grad_()
            change, gradient = torch.autograd.grad(log_density(law, path, x, at), (at, x))
            velocity = field.velocity(x, at)
            divergence = sum(
                torch.autograd.grad(v, x, retain_graph=True)[0][i] for i, v in enumerate(velocity)
            )
            total = change + velocity @ gradient + divergence
            assert abs(total.item()) < 1e-9 * (1 + abs(change.item()))


def test_expected_data_takes_times_per_sample_and_any_shape(mixture: Mixture, path: Path) -> None:
    times = torch.tensor([[0.1, 0.5], [0.9, 1.0]], dtype=F64)
    batch = mixture.expected_data(path, POINTS.view(2, 2, 2), times)
    for i in range(2):
        for j in range(2):
            one = mixture.expected_data(path, POINTS.view(2, 2, 2)[i, j], times[i, j])
            torch.testing.assert_close(batch[i, j], one)


def test_at_the_ends_the_data_are_known_or_unknown(mixture: Mixture) -> None:
    path = PATHS["ot"]
    data = mixture.expected_data(path, POINTS, torch.tensor(0.0, dtype=F64))
    torch.testing.assert_close(data, POINTS)
    blind = mixture.expected_data(path, POINTS, torch.tensor(1.0, dtype=F64))
    torch.testing.assert_close(blind, mixture.mean.expand(4, 2))
