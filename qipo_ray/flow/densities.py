"""The paper's six 2-D densities with their energies, and exact samples of their tilts.

Points and energies follow the toy data of CEP, on which the paper builds; energies are stored as
``E`` (low is good), the negative of CEP's ``e``. All are drawn from latent variables, so the tilt
``q ∝ p exp(-beta E)`` is drawn exactly: by rejection on a bounded energy, or in closed form.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

Sample = tuple[Tensor, Tensor]  # points (n, 2) and energies (n,)


class Density(ABC):
    """A law on the plane with an energy that is at least ``lowest``."""

    name: ClassVar[str]
    lowest: ClassVar[float] = -1.0

    @abstractmethod
    def sample(self, count: int, generator: torch.Generator) -> Sample:
        """Return exact samples of the data's law with their energies."""

    def tilted(self, beta: float, count: int, generator: torch.Generator) -> Tensor:
        """Return exact samples ``(count, 2)`` of ``q ∝ p exp(-beta E)``.

        Rejection: a sample of ``p`` stays with probability ``exp(-beta (E - lowest))``.
        """
        if beta < 0:
            raise ValueError(f"beta must be at least 0; got {beta:g}")
        kept: list[Tensor] = []
        while sum(map(len, kept)) < count:
            points, energies = self.sample(4 * count, generator)
            chance = torch.exp(-beta * (energies - self.lowest))
            kept.append(points[torch.rand(len(points), generator=generator) < chance])
        return torch.cat(kept)[:count]


class SwissRoll(Density):
    """scikit-learn's swiss roll (noise 1, first and third coordinate, / 5); ``E = -|x|² / 9``."""

    name = "swissroll"
    deviation = 0.2
    lowest = -math.inf

    def sample(self, count: int, generator: torch.Generator) -> Sample:
        """Return the roll with Gaussian noise."""
        points = self._roll(torch.rand(count, generator=generator))
        points = points + self.deviation * torch.randn(count, 2, generator=generator)
        return points, -points.square().sum(1) / 9

    def tilted(self, beta: float, count: int, generator: torch.Generator) -> Tensor:
        """Return exact samples; the energy has no lower bound, so the tilt is taken by parts.

        Around its centre ``m`` the noise is Gaussian and the energy quadratic: with
        ``c = 1 - 2 beta s² / 9`` the tilt is ``N(m / c, s² / c)``, of weight
        ``exp(beta |m|² / (9 c))``, greatest at the end of the roll.
        """
        c = 1 - 2 * beta * self.deviation**2 / 9
        if c <= 0:
            raise ValueError(f"beta must be below {4.5 / self.deviation**2:g}; got {beta:g}")
        kept: list[Tensor] = []
        end = self._roll(torch.ones(1)).square().sum()
        while sum(map(len, kept)) < count:
            centres = self._roll(torch.rand(4 * count, generator=generator))
            chance = torch.exp(beta * (centres.square().sum(1) - end) / (9 * c))
            kept.append(centres[torch.rand(len(centres), generator=generator) < chance] / c)
        noise = torch.randn(count, 2, generator=generator)
        return torch.cat(kept)[:count] + self.deviation / math.sqrt(c) * noise

    def _roll(self, u: Tensor) -> Tensor:
        angle = 1.5 * math.pi * (1 + 2 * u)
        return torch.stack([angle * angle.cos(), angle * angle.sin()], 1) / 5


class EightGaussians(Density):
    """Eight Gaussians of deviation 0.5 on a circle of radius 4, / 1.414; ``E = -index / 7``.

    The first stands at (0, 1) of the circle, the others follow counter-clockwise.
    """

    name = "8gaussians"
    scale = 1.414

    def sample(self, count: int, generator: torch.Generator) -> Sample:
        """Return points of equally likely modes."""
        mode = torch.randint(8, (count,), generator=generator)
        noise = 0.5 / self.scale * torch.randn(count, 2, generator=generator)
        return self.centres[mode] + noise, -mode / 7

    @property
    def centres(self) -> Tensor:
        """The modes ``(8, 2)`` in the order of their index."""
        angle = math.pi / 2 + math.pi / 4 * torch.arange(8)
        return 4 / self.scale * torch.stack([angle.cos(), angle.sin()], 1)

    def masses(self, beta: float) -> Tensor:
        """Return the modes' exact masses ``(8,)`` under the tilt."""
        return torch.softmax(beta * torch.arange(8) / 7, 0)


class Moons(Density):
    """scikit-learn's two moons (noise 0.1), doubled and moved; ``E = -1`` on the lower one."""

    name = "moons"

    def sample(self, count: int, generator: torch.Generator) -> Sample:
        """Return points of both moons."""
        lower = torch.randint(2, (count,), generator=generator)
        angle = math.pi * torch.rand(count, generator=generator)
        upper = torch.stack([angle.cos(), angle.sin()], 1)
        points = torch.where(lower.bool()[:, None], torch.tensor([1.0, 0.5]) - upper, upper)
        points = points + 0.1 * torch.randn(count, 2, generator=generator)
        return 2 * points + torch.tensor([-1.0, -0.2]), -lower.float()


class Rings(Density):
    """Four rings of radii 3, 2.25, 1.5 and 0.75 with noise 0.08; energies -2/3, -1/3, -1, 0."""

    name = "rings"

    def sample(self, count: int, generator: torch.Generator) -> Sample:
        """Return points of equally likely rings."""
        ring = torch.randint(4, (count,), generator=generator)
        angle = 2 * math.pi * torch.rand(count, generator=generator)
        radius = torch.tensor([3.0, 2.25, 1.5, 0.75])[ring].unsqueeze(1)
        points = radius * torch.stack([angle.cos(), angle.sin()], 1)
        points = points + 0.08 * torch.randn(count, 2, generator=generator)
        return points, torch.tensor([-0.667, -0.333, -1.0, 0.0])[ring]


class Checkerboard(Density):
    """Eight of the sixteen squares of side 2; ``E = -1`` in the columns left of -2 and 0 to 2."""

    name = "checkerboard"

    def sample(self, count: int, generator: torch.Generator) -> Sample:
        """Return uniform points of the squares."""
        x = 4 * torch.rand(count, generator=generator) - 2
        y = torch.rand(count, generator=generator) + torch.floor(x) % 2
        y = y - 2 * torch.randint(2, (count,), generator=generator)
        points = 2 * torch.stack([x, y], 1)
        good = ((points[:, 0] > 0) & (points[:, 0] <= 2)) | (points[:, 0] <= -2)
        return points, -good.float()


class TwoSpirals(Density):
    """Two spiral arms of one and a half turns; ``E`` rises from -1 at the centre to about 0."""

    name = "2spirals"

    def sample(self, count: int, generator: torch.Generator) -> Sample:
        """Return points of both arms."""
        angle = 3 * math.pi * torch.rand(count, generator=generator).sqrt()
        blur = 0.5 * torch.rand(count, 2, generator=generator)
        arm = torch.stack([-angle.cos() * angle, angle.sin() * angle], 1) + blur
        side = 1 - 2.0 * torch.randint(2, (count, 1), generator=generator)
        points = side * arm / 3 + 0.1 * torch.randn(count, 2, generator=generator)
        return points, -(1 - angle / 10).clamp(0, 1)


DENSITIES: dict[str, Density] = {
    density.name: density
    for density in (
        SwissRoll(), EightGaussians(), Moons(), Rings(), Checkerboard(), TwoSpirals(),
    )
}  # fmt: skip
