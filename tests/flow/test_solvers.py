"""Solvers on fields with known solutions: order, exactness, singular ends, refusals."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from qipo_ray.flow import Field, Path, Prediction, draw, path_named
from qipo_ray.flow.field import MARGIN
from qipo_ray.flow.known import Mixture
from qipo_ray.flow.solvers import SOLVERS

F64 = torch.float64
MEAN, STD = 0.3, 0.5
ORDERS = {"euler": 1, "midpoint": 2, "heun": 2, "rk4": 4, "ddim": 1, "dpmpp_2m": 2}
START = torch.tensor([[0.3, -0.4], [-1.0, 1.0], [0.8, 0.2]], dtype=F64)

Shares = Callable[[Path, Prediction, Tensor], tuple[Tensor, Tensor]]
ExactField = Callable[[Path, Prediction, float, float], Field]
Reference = tuple[Field, Tensor]


def falling(steps: int, first: float = 0.85, last: float = 0.25) -> Tensor:
    return torch.linspace(first, last, steps + 1, dtype=F64)


@pytest.fixture(scope="session")
def reference(path: Path) -> Reference:
    """A curved field on each path, and where `START` ends: RK4 with many steps."""
    mixture = Mixture(
        torch.tensor([0.0, 0.5], dtype=F64),
        torch.tensor([[-1.0, 0.5], [1.2, -0.3]], dtype=F64),
        torch.tensor([0.6, 0.5], dtype=F64),
    )
    field = mixture.field(path)
    return field, SOLVERS["rk4"][0](field, START, falling(160))


def test_every_solver_is_tested() -> None:
    assert set(ORDERS) == set(SOLVERS)


@pytest.mark.slow
@pytest.mark.parametrize("name", SOLVERS)
def test_order_of_convergence(reference: Reference, name: str) -> None:
    """Halving the step divides the error by 2 ** order, on a curved field."""
    field, end = reference
    few, many = (
        (SOLVERS[name][0](field, START, falling(steps)) - end).abs().max().item()
        for steps in (32, 64)
    )
    assert math.log2(few / many) == pytest.approx(ORDERS[name], abs=0.25)
    assert many < {1: 0.03, 2: 2e-3, 4: 1e-6}[ORDERS[name]]


@pytest.mark.slow
def test_solvers_agree_with_the_exact_flow_map(path: Path, exact_gaussian: ExactField) -> None:
    """Of Gaussian data: a point keeps its distance from the mean in standard deviations."""
    field = exact_gaussian(path, "noise", MEAN, STD)
    (alpha, then), (sigma, after) = (
        c.tolist() for c in path.coefficients(torch.tensor([0.85, 0.25], dtype=F64))[:2]
    )
    scale = math.sqrt((then**2 * STD**2 + after**2) / (alpha**2 * STD**2 + sigma**2))
    expected = then * MEAN + scale * (START - alpha * MEAN)
    for solver, _ in SOLVERS.values():
        torch.testing.assert_close(solver(field, START, falling(40)), expected, atol=0.05, rtol=0)
    torch.testing.assert_close(SOLVERS["rk4"][0](field, START, falling(80)), expected)


@pytest.mark.slow
def test_the_full_span_reaches_the_exact_law(
    path: Path, predicts: Prediction, exact_gaussian: ExactField
) -> None:
    """Noise z goes to mean + std z, through every singular end, in the precision of training.

    What is left is the step (first order) and the 1e-3 by which a span stops short.
    """
    noise = torch.linspace(-2, 2, 9).unsqueeze(1)
    field = exact_gaussian(path, predicts, MEAN, STD)
    for name, order in ORDERS.items():
        error = (draw(field, noise, name, 64) - (MEAN + STD * noise)).abs().max()
        assert error < (0.06 if order == 1 else 7e-3), name


def test_data_solvers_are_exact_where_the_data_are_one_point(
    path: Path, predicts: Prediction, shares: Shares
) -> None:
    """They integrate the linear part of the ODE exactly, so one step is as good as many."""
    point = torch.tensor([0.7, -1.2], dtype=F64)

    def network(x: Tensor, t: Tensor) -> Tensor:
        alpha, sigma, _, _ = path.coefficients(t)
        of_data, of_noise = shares(path, predicts, t)
        return of_data * point + of_noise * (x - alpha * point) / sigma

    field = Field(path, predicts, network)
    first, last = field.span[0], max(field.span[1], MARGIN)
    (alpha, then), (sigma, after) = (
        c.tolist() for c in path.coefficients(torch.tensor([first, last], dtype=F64))[:2]
    )
    for name in ("ddim", "dpmpp_2m"):
        for steps in (1, 2, 5):
            times = falling(steps, first, last)
            ends = SOLVERS[name][0](field, alpha * point + sigma * START, times)
            torch.testing.assert_close(ends, then * point + after * START)


def test_ddim_is_euler_on_straight_lines() -> None:
    mixture = Mixture(torch.zeros(2, dtype=F64), START[:2], torch.tensor([0.6, 0.5], dtype=F64))
    field = mixture.field(path_named("ot"))
    ddim, euler = (SOLVERS[name][0](field, START, falling(7)) for name in ("ddim", "euler"))
    torch.testing.assert_close(ddim, euler, rtol=1e-12, atol=1e-12)


def test_dpm_solver_is_its_published_recurrence() -> None:
    """Lu et al. 2022, DPM-Solver++ Algorithm 2, term by term: r = h_{i-1} / h_i."""
    path = path_named("vp")
    field = Mixture(
        torch.zeros(2, dtype=F64), START[:2], torch.tensor([0.6, 0.5], dtype=F64)
    ).field(path)
    times = falling(6)
    alpha, sigma, _, _ = path.coefficients(times)
    lam = torch.log(alpha / sigma)
    x, q_past, h_past = START, START, 1.0
    for i in range(1, 7):
        h = (lam[i] - lam[i - 1]).item()
        q = field.data_and_noise(x, times[i - 1])[0]
        r = h_past / h
        d = q if i in (1, 6) else (1 + 1 / (2 * r)) * q - 1 / (2 * r) * q_past
        x = sigma[i] / sigma[i - 1] * x - alpha[i] * (math.exp(-h) - 1) * d
        q_past, h_past = q, h
    torch.testing.assert_close(SOLVERS["dpmpp_2m"][0](field, START, times), x)


@pytest.mark.parametrize(("name", "cost"), [(name, cost) for name, (_, cost) in SOLVERS.items()])
@pytest.mark.parametrize("extra", [0, 1])
def test_evaluations_are_as_said_and_never_exceeded(name: str, cost: int, extra: int) -> None:
    calls = 0

    def network(x: Tensor, t: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return x

    field = Field(path_named("ot"), "velocity", network)
    draw(field, torch.zeros(3, 2), name, 3 * cost + min(extra, cost - 1))
    assert calls == 3 * cost
    if cost > 1:
        with pytest.raises(ValueError, match=f"{name} needs at least {cost} evaluations, got 1"):
            draw(field, torch.zeros(3, 2), name, 1)
    with pytest.raises(ValueError, match="got 0"):
        draw(field, torch.zeros(3, 2), name, 0)


@pytest.mark.parametrize("name", ["rk4", "dpmpp_2m"])
@pytest.mark.parametrize(
    "times",
    [[0.2, 0.8], [0.8, 0.8, 0.2], [0.8, 0.3, 0.5], [0.8, math.nan, 0.2], [math.nan, 0.5]],
)
def test_times_that_do_not_fall_are_refused(name: str, times: list[float]) -> None:
    field = Field(path_named("ot"), "velocity", lambda x, t: x)
    with pytest.raises(ValueError, match=r"times fall from noise \(1\) to data \(0\)"):
        SOLVERS[name][0](field, START, torch.tensor(times, dtype=F64))


@pytest.mark.parametrize(
    ("path_name", "predicts", "times", "message"),
    [
        (
            "ot",
            "noise",
            [1.0, 0.5],
            r"noise prediction on the path ot .* \[0, 0.999\]; got times from 1",
        ),
        ("trig", "noise_residual", [1.0, 0.5], r"residual prediction on the path trig"),
        ("ot", "data", [0.5, 0.0], r"data prediction .* \[0.001, 1\]; got times from 0.5 to 0"),
        ("vp", "velocity", [1.0, 0.0], r"velocity prediction on the path vp"),
        ("vp", "noise", [1.0, 1e-4], r"got times from 1 to 0.0001: keep inside, or let `draw`"),
        ("ot", "velocity", [1.5, 0.5], r"\[0, 1\]; got times from 1.5"),
        ("ot", "velocity", [0.5, -0.1], r"\[0, 1\]; got times from 0.5 to -0.1"),
    ],
)
def test_singular_ends_are_refused(
    path_name: str, predicts: Prediction, times: list[float], message: str
) -> None:
    field = Field(path_named(path_name), predicts, lambda x, t: x)
    for solver, _ in SOLVERS.values():
        with pytest.raises(ValueError, match=message):
            solver(field, START, torch.tensor(times, dtype=F64))


def test_draw_keeps_shape_and_precision_and_needs_no_gradient() -> None:
    scale = torch.tensor(0.5, requires_grad=True)

    def network(x: Tensor, t: Tensor) -> Tensor:
        assert t.dtype == x.dtype
        return scale.to(x.dtype) * x

    field = Field(path_named("trig"), "noise", network)
    for dtype in (torch.float32, F64):
        samples = draw(field, torch.ones(2, 5, 3, dtype=dtype), "heun", 4)
        assert samples.shape == (2, 5, 3) and samples.dtype == dtype
        assert not samples.requires_grad


def test_an_unknown_solver_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="rk5"):
        draw(Field(path_named("ot"), "velocity", lambda x, t: x), START, "rk5", 4)
