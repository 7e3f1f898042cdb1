"""Solvers of the probability-flow ODE, as plain functions from noise (t = 1) to data (t = 0).

Each takes a field, a start ``x (..., A)`` at ``times[0]`` and falling times, and returns ``x`` at
``times[-1]``. Euler, midpoint, Heun and RK4 walk along the velocity; DDIM and DPM-Solver++ walk
along the predicted data point, exact in the linear part of the ODE.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from qipo_ray.flow.field import Field

Solver = Callable[[Field, Tensor, Tensor], Tensor]


def euler(field: Field, x: Tensor, times: Tensor) -> Tensor:
    """Return ``x`` at ``times[-1]``, first order; one evaluation a step."""
    for t, u in _steps(field, times, x):
        x = x + (u - t) * field.velocity(x, t)
    return x


def midpoint(field: Field, x: Tensor, times: Tensor) -> Tensor:
    """Return ``x`` at ``times[-1]``, second order; two evaluations a step, none at the end."""
    for t, u in _steps(field, times, x):
        middle = (t + u) / 2
        x = x + (u - t) * field.velocity(x + (middle - t) * field.velocity(x, t), middle)
    return x


def heun(field: Field, x: Tensor, times: Tensor) -> Tensor:
    """Return ``x`` at ``times[-1]``, second order (trapezoid); two evaluations a step."""
    for t, u in _steps(field, times, x):
        slope = field.velocity(x, t)
        x = x + (u - t) / 2 * (slope + field.velocity(x + (u - t) * slope, u))
    return x


def rk4(field: Field, x: Tensor, times: Tensor) -> Tensor:
    """Return ``x`` at ``times[-1]``, fourth order (Runge and Kutta's); four evaluations a step."""
    for t, u in _steps(field, times, x):
        h, middle = u - t, (t + u) / 2
        first = field.velocity(x, t)
        second = field.velocity(x + h / 2 * first, middle)
        third = field.velocity(x + h / 2 * second, middle)
        fourth = field.velocity(x + h * third, u)
        x = x + h / 6 * (first + 2 * second + 2 * third + fourth)
    return x


def ddim(field: Field, x: Tensor, times: Tensor) -> Tensor:
    """Return ``x`` at ``times[-1]`` by DDIM without noise (eta = 0); one evaluation a step.

    ``x_u = alpha_u D + sigma_u eps`` with the predicted data point and noise: first order.
    """
    for t, u in _steps(field, times, x):
        alpha, sigma, _, _ = field.path.coefficients(u)
        data, noise = field.data_and_noise(x, t)
        x = alpha * data + sigma * noise
    return x


# Departure D7: multistep, the last step of first order; the paper's code: singlestep.
def dpmpp_2m(field: Field, x: Tensor, times: Tensor) -> Tensor:
    """Return ``x`` at ``times[-1]`` by DPM-Solver++(2M): second-order multistep on the data.

    With ``lambda = log(alpha / sigma)`` and ``h = lambda_u - lambda_t``,
    ``x_u = sigma_u / sigma_t x_t - alpha_u expm1(-h) D``, where ``D`` extrapolates the last two
    data predictions. First order on the first and the last step, so that the infinite ``h`` of a
    path that reaches pure noise or pure data does no harm. One evaluation a step.
    """
    previous: Tensor | None = None
    previous_h = x.new_zeros(())
    last = len(times) - 2
    for i, (t, u) in enumerate(_steps(field, times, x)):
        alpha_t, sigma_t, _, _ = field.path.coefficients(t)
        alpha_u, sigma_u, _, _ = field.path.coefficients(u)
        h = (alpha_u.log() - sigma_u.log()) - (alpha_t.log() - sigma_t.log())
        data, _ = field.data_and_noise(x, t)
        if previous is None or i == last:
            slope = data
        else:
            ratio = h / (2 * previous_h)
            slope = (1 + ratio) * data - ratio * previous
        x = sigma_u / sigma_t * x - alpha_u * torch.expm1(-h) * slope
        previous, previous_h = data, h
    return x


SOLVERS: dict[str, tuple[Solver, int]] = {  # with their evaluations per step
    "euler": (euler, 1),
    "midpoint": (midpoint, 2),
    "heun": (heun, 2),
    "rk4": (rk4, 4),
    "ddim": (ddim, 1),
    "dpmpp_2m": (dpmpp_2m, 1),
}


@torch.no_grad()
def draw(field: Field, noise: Tensor, solver: str, evaluations: int) -> Tensor:
    """Return samples of the shape of ``noise`` with at most ``evaluations`` network evaluations.

    ``noise`` is N(0, I) at t = 1; times are uniform over the field's span. ``ValueError`` if the
    evaluations do not pay for one step; ``KeyError`` for an unknown ``solver``.
    """
    solve, cost = SOLVERS[solver]
    steps = evaluations // cost
    if steps < 1:
        raise ValueError(f"{solver} needs at least {cost} evaluations, got {evaluations}")
    times = torch.linspace(*field.span, steps + 1, dtype=torch.float64)
    return solve(field, noise, times)


def _steps(field: Field, times: Tensor, x: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the ends of each step, in the type and on the device of ``x``.

    Times on the CPU, such as those of ``draw``, are checked without waiting for a GPU. In a traced
    graph they have no values to check.

    Raises:
        ValueError: for times that do not fall, or that leave the span where the field is finite.
    """
    if not torch.compiler.is_compiling():
        _check_steps(field, times.tolist())
    times = times.to(x)
    yield from zip(times[:-1], times[1:], strict=True)


def _check_steps(field: Field, values: list[float]) -> None:
    first, last = field.span
    if not all(t > u for t, u in zip(values[:-1], values[1:], strict=True)):  # NaN, too
        raise ValueError("times fall from noise (1) to data (0); got times that do not")
    tolerance = 1e-6  # float32
    if values[0] > first + tolerance or values[-1] < last - tolerance:
        raise ValueError(
            f"a {field.predicts} prediction on the path {field.path.name} is singular outside "
            f"[{last:g}, {first:g}]; got times from {values[0]:g} to {values[-1]:g}: "
            "keep inside, or let `draw` choose the times"
        )
