"""Laws whose energy-weighted field is known in closed form on every path.

A mixture of isotropic Gaussians stays one under noising, under a linear energy and under an energy
that is constant on each component. So its tilt, its samples and its guided field are exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from qipo_ray.flow.field import Field
from qipo_ray.flow.paths import Path


@dataclass(frozen=True)
class Mixture:
    """``sum_k w_k N(m_k, s_k² I)``: log weights ``(K,)``, means ``(K, A)``, deviations."""

    log_weights: Tensor
    means: Tensor
    deviations: Tensor

    @classmethod
    def gaussian(cls, mean: Tensor, deviation: float = 1.0) -> Mixture:
        """Return ``N(mean, deviation² I)`` for a mean ``(A,)``."""
        return cls(mean.new_zeros(1), mean.unsqueeze(0), mean.new_full((1,), deviation))

    @property
    def masses(self) -> Tensor:
        """The components' probabilities ``(K,)``."""
        return torch.softmax(self.log_weights, 0)

    @property
    def mean(self) -> Tensor:
        """The mean of the whole, ``(A,)``."""
        return self.masses @ self.means

    def tilted_by_component(self, energies: Tensor, beta: float) -> Mixture:
        """Return ``q ∝ p exp(-beta E)`` for an energy ``(K,)`` that is constant per component."""
        return Mixture(self.log_weights - beta * energies, self.means, self.deviations)

    def tilted_linearly(self, slope: Tensor, beta: float) -> Mixture:
        """Return ``q ∝ p exp(-beta E)`` for ``E(x) = slope · x`` with a slope ``(A,)``.

        Completing the square: each mean moves by ``-beta s² slope``, each log weight by
        ``-beta slope · m + beta² s² |slope|² / 2``.
        """
        variances = self.deviations.square()
        means = self.means - beta * variances.unsqueeze(1) * slope
        gain = -beta * self.means @ slope + beta**2 * variances * slope.square().sum() / 2
        return Mixture(self.log_weights + gain, means, self.deviations)

    def sample(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return exact samples ``(count, A)`` and their components ``(count,)``."""
        chosen = torch.multinomial(self.masses, count, replacement=True, generator=generator)
        shape = count, self.means.shape[1]
        noise = torch.randn(shape, generator=generator, dtype=self.means.dtype)
        return self.means[chosen] + self.deviations[chosen].unsqueeze(1) * noise, chosen

    def expected_data(self, path: Path, x: Tensor, t: Tensor) -> Tensor:
        """Return ``E[x_0 | x_t = x]`` of shape ``(..., A)`` for ``x (..., A)`` at ``t`` ``(...)``.

        Per component ``m + alpha s² / (alpha² s² + sigma²) (x - alpha m)``, weighted by the
        components' posterior probabilities.
        """
        alpha, sigma, _, _ = path.coefficients(t.unsqueeze(-1))
        variances = alpha.square() * self.deviations.square() + sigma.square()  # (..., K)
        offsets = x.unsqueeze(-2) - alpha.unsqueeze(-1) * self.means  # (..., K, A)
        log_densities = -offsets.square().sum(-1) / variances / 2
        log_densities = log_densities - x.shape[-1] / 2 * variances.log()
        posterior = torch.softmax(self.log_weights + log_densities, -1)
        gains = alpha * self.deviations.square() / variances
        expected = self.means + gains.unsqueeze(-1) * offsets
        return (posterior.unsqueeze(-1) * expected).sum(-2)

    def field(self, path: Path) -> Field:
        """Return the exact field of this law on a path.

        Of a tilted law it is the guided velocity of the paper's Theorem 4.1, in closed form.
        """
        return Field(path, "data", lambda x, t: self.expected_data(path, x, t))
