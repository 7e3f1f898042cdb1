"""Paths and conversions against automatic differentiation and the forward formula."""

from __future__ import annotations

import math

import pytest
import torch

from qipo_ray.flow import Field, path_named

PATHS = ["ot", "vp"]
TIMES = torch.linspace(0.01, 0.99, 25, dtype=torch.float64)


@pytest.mark.parametrize("name", PATHS)
def test_derivatives_are_those_of_the_coefficients(name: str) -> None:
    path = path_named(name)
    t = TIMES.clone().requires_grad_()
    alpha, sigma, d_alpha, d_sigma = path.coefficients(t)
    for value, derivative in ((alpha, d_alpha), (sigma, d_sigma)):
        (auto,) = torch.autograd.grad(value.sum(), t, retain_graph=True)
        torch.testing.assert_close(derivative.detach(), auto, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", PATHS)
def test_a_path_runs_from_data_to_noise(name: str) -> None:
    path = path_named(name)
    ends = torch.tensor([max(path.last_time, 1e-6), 1.0], dtype=torch.float64)
    alpha, sigma, _, _ = path.coefficients(ends)
    assert alpha[0] > 0.99 and sigma[0] < 0.02
    assert alpha[1] < 0.01 and sigma[1] > 0.99


def test_vp_is_the_integral_of_its_noise_rate() -> None:
    """log alpha = -1/2 ∫ beta(s) ds with beta(s) = 0.1 + 19.9 s, integrated numerically."""
    t = 0.7
    s = torch.linspace(0, t, 100_001, dtype=torch.float64)
    expected = math.exp(-0.5 * torch.trapezoid(0.1 + 19.9 * s, s).item())
    alpha, sigma, _, _ = path_named("vp").coefficients(torch.tensor(t, dtype=torch.float64))
    assert alpha.item() == pytest.approx(expected, rel=1e-8)
    assert (alpha**2 + sigma**2).item() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("name", PATHS)
def test_one_prediction_reads_as_velocity_data_and_noise(name: str) -> None:
    """A network that returns the conditional target makes the field return what made x_t."""
    path = path_named(name)
    generator = torch.Generator().manual_seed(0)
    data = torch.randn(40, 3, generator=generator, dtype=torch.float64)
    noise = torch.randn(40, 3, generator=generator, dtype=torch.float64)
    for t in (0.05, 0.5, 0.95):
        times = torch.full((40,), t, dtype=torch.float64)
        x, target = path.noised(data, noise, times), path.target(data, noise, times)
        field = Field(path, lambda x, t, target=target: target)
        at = torch.tensor(t, dtype=torch.float64)
        _, _, d_alpha, d_sigma = path.coefficients(at)
        torch.testing.assert_close(field.data(x, at), data)
        torch.testing.assert_close(field.noise(x, at), noise)
        torch.testing.assert_close(field.velocity(x, at), d_alpha * data + d_sigma * noise)
