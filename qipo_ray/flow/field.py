"""A network on a path: what it predicts, and the one table of conversions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from qipo_ray.flow.paths import Path

Prediction = Literal["velocity", "noise", "noise_residual", "v", "data"]

MARGIN = 1e-3  # how far to stay from a singular end; the paper's code ends at 1e-3, too


@dataclass(frozen=True)
class Field:
    """A network on a path, read as velocity, data, noise or score.

    ``network(x, t)`` takes ``x (..., A)`` and times ``(...)`` or a time without dimensions, and
    returns ``(..., A)``: what it ``predicts``. Each prediction is a second linear equation beside
    ``x = alpha x_0 + sigma eps``; together they are solved for the data point and the noise.

    - ``velocity``: ``d_alpha x_0 + d_sigma eps``, as QIPO-OT regresses on.
    - ``noise``: ``eps``, as QIPO-Diff does. An error of it becomes an error of the data point that
      is ``sigma / alpha`` times as large: near t = 1 a start far out can be thrown further out.
    - ``noise_residual``: ``eps - sigma x``, the same loss as ``noise``. A start far out has
      ``eps ~ x`` built in instead of learned, which mends those throws.
    - ``v``: ``alpha eps - sigma x_0`` (v-prediction, Salimans and Ho 2022). It turns into data and
      noise without a division on every path, so it stays finite at both ends.
    - ``data``: ``x_0``, as closed forms give it.
    """

    path: Path
    predicts: Prediction
    network: Callable[[Tensor, Tensor], Tensor]

    @property
    def span(self) -> tuple[float, float]:
        """The times, from noise to data, between which every conversion is finite.

        Noise says nothing of the data where alpha = 0, data nothing of the noise where sigma = 0,
        and the velocity of a diffusion is infinite at t = 0.
        """
        blind = self.predicts in ("noise", "noise_residual") and self.path.only_noise_at_one
        open_end = self.predicts == "data" or self.path.singular_at_data
        return 1 - MARGIN if blind else 1.0, MARGIN if open_end else 0.0

    def guided(self, pull: Callable[[Tensor, Tensor], Tensor]) -> Field:
        """Return the field of the law with the density of this one times ``exp f(x, t)``.

        ``pull(x, t)`` is the gradient of f over alpha, ``(..., A)``. The score moves by that
        gradient, so the expected data by ``sigma² pull`` and the noise by ``-alpha sigma pull``.
        What a network predicts is linear in both: nothing is divided by what may be 0.
        """

        def network(x: Tensor, t: Tensor) -> Tensor:
            alpha, sigma, _, _ = self.path.coefficients(t.unsqueeze(-1))
            toward = sigma * pull(x, t)
            return self.network(x, t) + self.target(sigma * toward, -alpha * toward, t)

        return Field(self.path, self.predicts, network)

    def target(self, data: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """Return what the network regresses on, ``(..., A)``, for times ``(...)``.

        The conditional velocity ``u_t(x | x_0)`` is the paper's Theorem 4.3; noise, v and data are
        its Corollary 4.8 with different ``lambda(t)``, ``sigma²`` for the noise.
        """
        if self.predicts == "noise":
            return noise
        if self.predicts == "data":
            return data
        alpha, sigma, d_alpha, d_sigma = self.path.coefficients(t.unsqueeze(-1))
        # Departure D2: noise_residual and v are ours.
        if self.predicts == "noise_residual":
            return noise - sigma * (alpha * data + sigma * noise)
        if self.predicts == "v":
            return alpha * noise - sigma * data
        return d_alpha * data + d_sigma * noise

    def velocity(self, x: Tensor, t: Tensor) -> Tensor:
        """Return ``dx/dt`` of the probability-flow ODE at ``(x, t)``, ``(..., A)``."""
        if self.predicts == "velocity":
            return self.network(x, t)
        data, noise = self.data_and_noise(x, t)
        _, _, d_alpha, d_sigma = self.path.coefficients(t.unsqueeze(-1))
        return d_alpha * data + d_sigma * noise

    def score(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the gradient of the log density at ``(x, t)``, ``-eps / sigma``; t above 0."""
        _, sigma, _, _ = self.path.coefficients(t.unsqueeze(-1))
        return -self.data_and_noise(x, t)[1] / sigma

    def data_and_noise(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return the expected data point and the expected noise given ``x`` at ``t``."""
        prediction = self.network(x, t)
        alpha, sigma, d_alpha, d_sigma = self.path.coefficients(t.unsqueeze(-1))
        if self.predicts == "noise":
            return (x - sigma * prediction) / alpha, prediction
        if self.predicts == "noise_residual":
            noise = sigma * x + prediction
            return (x - sigma * noise) / alpha, noise
        if self.predicts == "data":
            return prediction, (x - alpha * prediction) / sigma
        if self.predicts == "v":
            square = alpha.square() + sigma.square()
            data = (alpha * x - sigma * prediction) / square
            return data, (sigma * x + alpha * prediction) / square
        determinant = alpha * d_sigma - sigma * d_alpha
        data = (d_sigma * x - sigma * prediction) / determinant
        return data, (alpha * prediction - d_alpha * x) / determinant
