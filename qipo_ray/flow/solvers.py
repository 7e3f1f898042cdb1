"""Solvers of the probability-flow ODE, as plain functions from noise (t = 1) to data (t = 0)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from qipo_ray.flow.paths import Field

Velocity = Callable[[Tensor, Tensor], Tensor]


def euler(velocity: Velocity, x: Tensor, times: Tensor) -> Tensor:
    """Return ``x`` at ``times[-1]``, first order; one evaluation a step."""
    for t, u in zip(times[:-1], times[1:], strict=True):
        x = x + (u - t) * velocity(x, t)
    return x


def midpoint(velocity: Velocity, x: Tensor, times: Tensor) -> Tensor:
    """Return ``x`` at ``times[-1]``, second order; two evaluations a step, none at the ends."""
    for t, u in zip(times[:-1], times[1:], strict=True):
        middle = (t + u) / 2
        x = x + (u - t) * velocity(x + (middle - t) * velocity(x, t), middle)
    return x


def heun(velocity: Velocity, x: Tensor, times: Tensor) -> Tensor:
    """Return ``x`` at ``times[-1]``, second order (trapezoid); two evaluations a step."""
    for t, u in zip(times[:-1], times[1:], strict=True):
        slope = velocity(x, t)
        x = x + (u - t) / 2 * (slope + velocity(x + (u - t) * slope, u))
    return x


def dpmpp_2m(field: Field, x: Tensor, times: Tensor) -> Tensor:
    """Return ``x`` at ``times[-1]`` by DPM-Solver++(2M): second-order multistep on the data.

    Exact in the linear part: with ``lambda = log(alpha / sigma)`` and ``h = lambda_u - lambda_t``,
    ``x_u = sigma_u / sigma_t x_t - alpha_u expm1(-h) D``, where ``D`` extrapolates the last two
    data predictions. First order on the first and the last step. One evaluation a step. On a path
    with ``alpha = 0`` at t = 1 the start must lie below 1.
    """
    previous: Tensor | None = None
    previous_h = x.new_zeros(())
    last = len(times) - 2
    for i, (t, u) in enumerate(zip(times[:-1], times[1:], strict=True)):
        alpha_t, sigma_t, _, _ = field.path.coefficients(t)
        alpha_u, sigma_u, _, _ = field.path.coefficients(u)
        h = torch.log(alpha_u / sigma_u) - torch.log(alpha_t / sigma_t)
        data = field.data(x, t)
        if previous is None or i == last:
            slope = data
        else:
            ratio = h / (2 * previous_h)
            slope = (1 + ratio) * data - ratio * previous
        x = sigma_u / sigma_t * x - alpha_u * torch.expm1(-h) * slope
        previous, previous_h = data, h
    return x


ONE_STEP: dict[str, tuple[Callable[[Velocity, Tensor, Tensor], Tensor], int]] = {
    "euler": (euler, 1),
    "midpoint": (midpoint, 2),
    "heun": (heun, 2),
}


@torch.no_grad()
def draw(field: Field, noise: Tensor, solver: str, evaluations: int) -> Tensor:
    """Return samples of the shape of ``noise`` with at most ``evaluations`` network evaluations.

    ``noise`` is N(0, I) at t = 1; times are uniform. ``solver`` is ``euler``, ``midpoint``,
    ``heun`` or ``dpmpp_2m``; ``ValueError`` if the evaluations do not pay for one step. Heun and
    DPM-Solver++ stop short of a singular end: they evaluate the field there.
    """
    cost = ONE_STEP[solver][1] if solver in ONE_STEP else 1
    steps = evaluations // cost
    if steps < 1:
        raise ValueError(f"{solver} needs at least {cost} evaluations, got {evaluations}")
    first, last = 1.0, field.path.last_time
    if solver == "dpmpp_2m" and field.path.name == "ot":
        first, last = 1 - 1e-3, 1e-3  # log(alpha / sigma) is infinite at both ends
    times = torch.linspace(first, last, steps + 1, dtype=noise.dtype, device=noise.device)
    if solver in ONE_STEP:
        return ONE_STEP[solver][0](field.velocity, noise, times)
    return dpmpp_2m(field, noise, times)
