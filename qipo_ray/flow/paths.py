"""Probability paths from data to noise, and what a network's prediction on a path means."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

Prediction = Literal["velocity", "noise"]
Coefficients = tuple[Tensor, Tensor, Tensor, Tensor]


class Path(ABC):
    """``x_t = alpha_t x_0 + sigma_t eps``; a further path is one class of this shape."""

    name: ClassVar[str]
    predicts: ClassVar[Prediction]  # what a network on this path regresses on
    last_time: ClassVar[float]  # where sampling ends; above 0 where the path is singular at 0

    @abstractmethod
    def coefficients(self, t: Tensor) -> Coefficients:
        """Return ``alpha, sigma, d_alpha, d_sigma`` at times ``t``, each of the shape of ``t``."""

    def noised(self, data: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """Return ``x_t`` of shape ``(..., A)`` for data and noise ``(..., A)`` at ``t`` ``(...)``.

        Paper, Algorithm 1.
        """
        alpha, sigma, _, _ = self.coefficients(t.unsqueeze(-1))
        return alpha * data + sigma * noise

    def target(self, data: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """Return what the network regresses on, ``(..., A)``: the conditional velocity or eps."""
        if self.predicts == "noise":
            return noise
        _, _, d_alpha, d_sigma = self.coefficients(t.unsqueeze(-1))
        return d_alpha * data + d_sigma * noise


class OptimalTransport(Path):
    """The straight path of QIPO-OT: ``alpha = 1 - t``, ``sigma = t``; velocity ``eps - x_0``."""

    name = "ot"
    predicts: ClassVar[Prediction] = "velocity"
    last_time = 0.0

    def coefficients(self, t: Tensor) -> Coefficients:
        """Return ``1 - t, t, -1, 1``."""
        one = torch.ones_like(t)
        return 1 - t, t, -one, one


class VariancePreserving(Path):
    """The diffusion path of QIPO-Diff: VP-SDE with beta(t) linear from 0.1 to 20.

    ``log alpha = -t² (20 - 0.1) / 4 - 0.1 t / 2``, ``sigma² = 1 - alpha²``; the network predicts
    the noise, which is the score-matching loss with ``lambda(t) = sigma²`` (paper, Algorithm 1).
    Its velocity is singular at t = 0, so sampling ends at t = 1e-3, as the paper's code does.
    """

    name = "vp"
    predicts: ClassVar[Prediction] = "noise"
    last_time = 1e-3
    beta_0, beta_1 = 0.1, 20.0

    def coefficients(self, t: Tensor) -> Coefficients:
        """Return ``alpha, sigma`` and their derivatives for ``t > 0``."""
        log_alpha = -0.25 * t * t * (self.beta_1 - self.beta_0) - 0.5 * t * self.beta_0
        d_log_alpha = -0.5 * t * (self.beta_1 - self.beta_0) - 0.5 * self.beta_0
        alpha = torch.exp(log_alpha)
        sigma = torch.sqrt(-torch.expm1(2 * log_alpha))
        d_alpha = d_log_alpha * alpha
        return alpha, sigma, d_alpha, -alpha * d_alpha / sigma


PATHS: dict[str, Path] = {path.name: path for path in (OptimalTransport(), VariancePreserving())}


def path_named(name: str) -> Path:
    """Return the path called ``ot`` or ``vp``; ``KeyError`` for any other name."""
    return PATHS[name]


@dataclass(frozen=True)
class Field:
    """A network on a path, read as velocity, data or noise: the one table of conversions.

    ``network(x, t)`` takes ``x (..., A)`` and a time ``t`` without dimensions and returns
    ``(..., A)``. The conversions invert ``x = alpha x_0 + sigma eps`` together with
    ``v = d_alpha x_0 + d_sigma eps``.
    """

    path: Path
    network: Callable[[Tensor, Tensor], Tensor]

    def velocity(self, x: Tensor, t: Tensor) -> Tensor:
        """Return ``dx/dt`` of the probability-flow ODE at ``(x, t)``, ``(..., A)``."""
        prediction = self.network(x, t)
        if self.path.predicts == "velocity":
            return prediction
        alpha, sigma, d_alpha, d_sigma = self.path.coefficients(t)
        return d_alpha * (x - sigma * prediction) / alpha + d_sigma * prediction

    def data(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the expected data point given ``x`` at time ``t``, ``(..., A)``."""
        prediction = self.network(x, t)
        alpha, sigma, d_alpha, d_sigma = self.path.coefficients(t)
        if self.path.predicts == "noise":
            return (x - sigma * prediction) / alpha
        return (d_sigma * x - sigma * prediction) / (alpha * d_sigma - sigma * d_alpha)

    def noise(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the expected noise given ``x`` at time ``t``, ``(..., A)``."""
        prediction = self.network(x, t)
        if self.path.predicts == "noise":
            return prediction
        alpha, sigma, d_alpha, d_sigma = self.path.coefficients(t)
        return (alpha * prediction - d_alpha * x) / (alpha * d_sigma - sigma * d_alpha)
