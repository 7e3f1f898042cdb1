"""Paths: coefficients against differentiation, integrals and the formulas of their sources."""

from __future__ import annotations

import doctest
import math

import pytest
import torch

from qipo_ray.flow import Path, path_named, paths

TIMES = torch.linspace(0.01, 0.99, 50, dtype=torch.float64)


def test_derivatives_are_those_of_the_coefficients(path: Path) -> None:
    t = TIMES.clone().requires_grad_()
    alpha, sigma, d_alpha, d_sigma = path.coefficients(t)
    for value, derivative in ((alpha, d_alpha), (sigma, d_sigma)):
        (auto,) = torch.autograd.grad(value.sum(), t, retain_graph=True)
        torch.testing.assert_close(derivative.detach(), auto, rtol=1e-9, atol=1e-9)


def test_derivatives_are_those_of_finite_differences(path: Path) -> None:
    h = 1e-6
    above, below = path.coefficients(TIMES + h), path.coefficients(TIMES - h)
    derivatives = path.coefficients(TIMES)[2:]
    for up, down, derivative in zip(above[:2], below[:2], derivatives, strict=True):
        torch.testing.assert_close((up - down) / (2 * h), derivative, rtol=1e-6, atol=1e-7)


def test_a_path_runs_from_data_to_noise_without_turning(path: Path) -> None:
    alpha, sigma, _, _ = path.coefficients(torch.linspace(0, 1, 101, dtype=torch.float64))
    assert alpha[0] > 0.9999 and sigma[0] < 0.01
    assert alpha[-1] < 0.02 and sigma[-1] > 0.999
    assert (alpha.diff() < 0).all() and (sigma.diff() > 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_a_path_says_of_its_ends_is_true(path: Path, dtype: torch.dtype) -> None:
    """The span of every field, hence the times of every solver, rests on these two facts."""
    alpha, sigma, d_alpha, d_sigma = path.coefficients(torch.tensor([0.0, 1.0], dtype=dtype))
    assert bool(d_sigma[0].isinf()) == path.singular_at_data
    assert bool(alpha[1] == 0) == path.only_noise_at_one
    assert torch.stack([alpha, sigma, d_alpha]).isfinite().all() and d_sigma[1].isfinite()


def test_velocity_tells_data_and_noise_apart(path: Path) -> None:
    """The determinant of the conversions is positive: ``sigma / alpha`` rises strictly."""
    alpha, sigma, d_alpha, d_sigma = path.coefficients(TIMES)
    assert (alpha * d_sigma - sigma * d_alpha > 0).all()


def test_ot_is_the_straight_line() -> None:
    alpha, sigma, d_alpha, d_sigma = path_named("ot").coefficients(TIMES)
    torch.testing.assert_close(alpha + sigma, torch.ones_like(TIMES))
    torch.testing.assert_close(sigma, TIMES)
    assert (d_alpha == -1).all() and (d_sigma == 1).all()


@pytest.mark.parametrize("t", [0.001, 0.3, 0.7, 1.0])
def test_vp_is_the_integral_of_its_noise_rate(t: float) -> None:
    """log alpha = -1/2 ∫ beta(s) ds with beta(s) = 0.1 + 19.9 s, integrated numerically."""
    s = torch.linspace(0, t, 10_001, dtype=torch.float64)
    expected = math.exp(-0.5 * torch.trapezoid(0.1 + 19.9 * s, s).item())
    alpha, sigma, _, _ = path_named("vp").coefficients(torch.tensor(t, dtype=torch.float64))
    assert alpha.item() == pytest.approx(expected, rel=1e-12)
    assert (alpha**2 + sigma**2).item() == pytest.approx(1.0, abs=1e-12)


def test_vp_keeps_its_digits_near_the_data() -> None:
    """``1 - alpha²`` would lose them in single precision; the noise is about sqrt(0.1 t)."""
    t = torch.tensor(1e-6)
    single, double = (path_named("vp").coefficients(x)[1].item() for x in (t, t.double()))
    assert single == pytest.approx(double, rel=1e-5)


def test_trig_turns_at_constant_speed_and_keeps_the_variance() -> None:
    alpha, sigma, _, _ = path_named("trig").coefficients(TIMES)
    torch.testing.assert_close(torch.atan2(sigma, alpha), TIMES * math.pi / 2)
    torch.testing.assert_close(alpha**2 + sigma**2, torch.ones_like(TIMES))


def test_noised_adds_data_and_noise_one_element_at_a_time(path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    data, noise = torch.randn(2, 3, 4, 2, generator=generator, dtype=torch.float64)
    t = torch.rand(3, 4, generator=generator, dtype=torch.float64)
    x = path.noised(data, noise, t)
    for i in range(3):
        for j in range(4):
            alpha, sigma, _, _ = (c.item() for c in path.coefficients(t[i, j]))
            torch.testing.assert_close(x[i, j], alpha * data[i, j] + sigma * noise[i, j])


@pytest.mark.parametrize("bad", [-1e-6, 1.0001, math.nan, math.inf, -math.inf])
def test_times_outside_the_path_are_refused(path: Path, bad: float) -> None:
    t = torch.tensor([0.5, bad, 0.2])
    with pytest.raises(ValueError, match="0 is data and 1 is noise; got " + str(t[1].item())):
        path.noised(torch.zeros(3, 2), torch.zeros(3, 2), t)


def test_the_ends_themselves_are_times(path: Path) -> None:
    data, noise = torch.ones(2, 2), torch.full((2, 2), 3.0)
    x = path.noised(data, noise, torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(x, torch.stack([data[0], noise[0]]), atol=0.02, rtol=0)


def test_an_unknown_path_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="cosine"):
        path_named("cosine")


def test_the_example_of_a_path_is_true() -> None:
    assert doctest.testmod(paths) == (0, 5)
