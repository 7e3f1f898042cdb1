"""Solvers on fields with known solutions: end points and numerical order of convergence."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from qipo_ray.flow import Field, draw, path_named
from qipo_ray.flow.solvers import ONE_STEP, dpmpp_2m

STD = 0.5


def gaussian_field(name: str, mean: float) -> Field:
    """The exact field of data N(mean, STD²): what a perfect network would predict."""
    path = path_named(name)

    def network(x: Tensor, t: Tensor) -> Tensor:
        alpha, sigma, d_alpha, d_sigma = path.coefficients(t)
        variance = alpha**2 * STD**2 + sigma**2
        data = mean + alpha * STD**2 / variance * (x - alpha * mean)
        noise = sigma / variance * (x - alpha * mean)
        return noise if path.predicts == "noise" else d_alpha * data + d_sigma * noise

    return Field(path, network)


@pytest.mark.parametrize("name", ["ot", "vp"])
@pytest.mark.parametrize("solver", ["euler", "midpoint", "heun", "dpmpp_2m"])
def test_many_steps_reach_the_data_law(name: str, solver: str) -> None:
    """The flow map of a Gaussian is affine: noise z goes to mean + STD z (up to alpha_1 > 0)."""
    noise = torch.linspace(-2, 2, 9, dtype=torch.float64).unsqueeze(1)
    samples = draw(gaussian_field(name, 0.3), noise, solver, 400)
    torch.testing.assert_close(samples, 0.3 + STD * noise, rtol=0, atol=0.02)


@pytest.mark.parametrize(("solver", "order"), [("euler", 1), ("midpoint", 2), ("heun", 2)])
def test_order_of_convergence(solver: str, order: int) -> None:
    """Halving the step divides the error by 2**order, on a smooth stretch of the VP field."""
    field = gaussian_field("vp", 0.3)
    x = torch.tensor([[1.2]], dtype=torch.float64)

    def end(steps: int) -> Tensor:
        times = torch.linspace(0.9, 0.3, steps + 1, dtype=torch.float64)
        return ONE_STEP[solver][0](field.velocity, x, times)

    exact = end(1024)
    errors = [(end(steps) - exact).abs().item() for steps in (32, 64)]
    assert errors[0] / errors[1] == pytest.approx(2**order, rel=0.15)


def test_dpm_solver_is_second_order() -> None:
    field = gaussian_field("vp", 0.3)
    x = torch.tensor([[1.2]], dtype=torch.float64)

    def end(steps: int) -> Tensor:
        return dpmpp_2m(field, x, torch.linspace(0.9, 0.3, steps + 1, dtype=torch.float64))

    exact = end(1024)
    errors = [(end(steps) - exact).abs().item() for steps in (64, 128)]
    assert errors[0] / errors[1] > 3.2


def test_evaluations_are_never_exceeded() -> None:
    calls = 0
    path = path_named("ot")

    def network(x: Tensor, t: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return x

    for solver, evaluations in (("euler", 7), ("midpoint", 7), ("heun", 6), ("dpmpp_2m", 5)):
        calls = 0
        draw(Field(path, network), torch.zeros(3, 2), solver, evaluations)
        assert evaluations - 1 <= calls <= evaluations
    with pytest.raises(ValueError, match="midpoint needs at least 2"):
        draw(Field(path, network), torch.zeros(3, 2), "midpoint", 1)
