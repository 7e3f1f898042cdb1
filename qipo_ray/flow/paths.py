"""Probability paths from data to noise: how much of each stands in ``x_t``.

A further path is one class: a name, two facts about its ends, and four coefficients; add it to
``PATHS``. Everything else (losses, conversions, solvers, closed forms) follows from these.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

Coefficients = tuple[Tensor, Tensor, Tensor, Tensor]


class Path(ABC):
    """``x_t = alpha_t x_0 + sigma_t eps`` for t from 0 (data) to 1 (noise).

    >>> path = path_named("ot")
    >>> data, noise = torch.tensor([[1.0, -1.0]]), torch.tensor([[0.0, 1.0]])
    >>> path.noised(data, noise, torch.tensor([0.25]))
    tensor([[ 0.7500, -0.5000]])
    >>> alpha, sigma, d_alpha, d_sigma = path.coefficients(torch.tensor(0.25))
    >>> d_alpha * data + d_sigma * noise  # the conditional velocity, which QIPO-OT regresses on
    tensor([[-1.,  2.]])
    """

    name: ClassVar[str]
    singular_at_data: ClassVar[bool]  # d_sigma is infinite at t = 0
    only_noise_at_one: ClassVar[bool]  # alpha = 0 at t = 1

    @abstractmethod
    def coefficients(self, t: Tensor) -> Coefficients:
        """Return ``alpha, sigma, d_alpha, d_sigma`` at times ``t``, each of the shape of ``t``."""

    def noised(self, data: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """Return ``x_t`` of shape ``(..., A)`` for data and noise ``(..., A)`` at ``t`` ``(...)``.

        Paper, Algorithm 1. ``ValueError`` for a time outside [0, 1].
        """
        check_times(t)
        alpha, sigma, _, _ = self.coefficients(t.unsqueeze(-1))
        return alpha * data + sigma * noise


class OptimalTransport(Path):
    """The straight path of QIPO-OT: ``alpha = 1 - t``, ``sigma = t``; velocity ``eps - x_0``."""

    name = "ot"
    singular_at_data = False
    only_noise_at_one = True

    def coefficients(self, t: Tensor) -> Coefficients:
        """Return ``1 - t, t, -1, 1``."""
        ones = torch.ones_like(t)
        return 1 - t, t, -ones, ones


class VariancePreserving(Path):
    """The diffusion path of QIPO-Diff: VP-SDE with beta(t) linear from 0.1 to 20.

    ``log alpha = -t² (20 - 0.1) / 4 - 0.1 t / 2``, ``sigma² = 1 - alpha²``: the paper's code.
    """

    name = "vp"
    singular_at_data = True
    only_noise_at_one = False
    beta_0, beta_1 = 0.1, 20.0

    def coefficients(self, t: Tensor) -> Coefficients:
        """Return ``alpha, sigma`` and their derivatives; ``d_sigma`` is infinite at t = 0."""
        log_alpha = -0.25 * t * t * (self.beta_1 - self.beta_0) - 0.5 * t * self.beta_0
        d_log_alpha = -0.5 * t * (self.beta_1 - self.beta_0) - 0.5 * self.beta_0
        alpha = torch.exp(log_alpha)
        sigma = torch.sqrt(-torch.expm1(2 * log_alpha))
        d_alpha = d_log_alpha * alpha
        return alpha, sigma, d_alpha, -alpha * d_alpha / sigma


# Departure D3: a path of ours.
class Trigonometric(Path):
    """The cosine path: ``alpha = cos(pi t / 2)``, ``sigma = sin(pi t / 2)``.

    It preserves variance as the diffusion does, and its velocity is finite at both ends.
    """

    name = "trig"
    singular_at_data = False
    only_noise_at_one = True

    def coefficients(self, t: Tensor) -> Coefficients:
        """Return sines and cosines, the cosines as sines so that both ends are exact."""
        half = math.pi / 2
        sigma, alpha = torch.sin(half * t), torch.sin(half * (1 - t))
        return alpha, sigma, -half * sigma, half * alpha


PATHS: dict[str, Path] = {
    path.name: path for path in (OptimalTransport(), VariancePreserving(), Trigonometric())
}


def path_named(name: str) -> Path:
    """Return the path called ``ot``, ``vp`` or ``trig``; ``KeyError`` for any other name."""
    return PATHS[name]


def check_times(t: Tensor) -> None:
    """Raise ``ValueError`` for a time outside [0, 1].

    Times on a GPU pass unseen: looking at them would make the host wait in every update.
    """
    if t.device.type != "cpu":
        return
    outside = ~((t >= 0) & (t <= 1))  # true for NaN, too
    if outside.any():
        raise ValueError(f"times lie in [0, 1], 0 is data and 1 is noise; got {t[outside][0]}")
