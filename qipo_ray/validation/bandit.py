"""A bandit with states whose tilted law is known, and the ways to weigh its pairs.

``p(a|s) = N(W s, I_4)`` and ``E(s, a) = c(s) · a`` with a unit vector that turns with the state,
so the tilt at beta = 1 is ``N(W s - c(s), I_4)``. Each way costs ``count`` passes of the network.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from qipo_ray.flow import draw_by_weight, support_weights
from qipo_ray.validation.estimators import quiet_weights
from qipo_ray.validation.learner import Batch

ACTION_DIM = 4


@dataclass(frozen=True)
class Bandit:
    """States ``N(0, I)``, actions ``N(W s, I)`` and energies ``c(s) · a``; fixed by the size."""

    mixing: Tensor  # W (4, S), rows of length about 1
    direction: Tensor  # (S,), of length 1: c turns by one radian per unit along it

    @classmethod
    def from_state_dim(cls, state_dim: int) -> Bandit:
        """Return the bandit of a state dimension."""
        generator = torch.Generator().manual_seed(state_dim)
        mixing = torch.randn(ACTION_DIM, state_dim, generator=generator) / math.sqrt(state_dim)
        direction = torch.randn(state_dim, generator=generator)
        return cls(mixing, direction / direction.norm())

    def slopes(self, states: Tensor) -> Tensor:
        """Return ``c(s)`` of length 1, ``(B, 4)``: it turns in the first two coordinates."""
        angle = states @ self.direction
        zero = torch.zeros_like(angle)
        return torch.stack([angle.cos(), angle.sin(), zero, zero], -1)

    def means(self, states: Tensor, beta: float) -> Tensor:
        """Return the mean of the tilted law ``N(W s - beta c(s), I)``, ``(B, 4)``."""
        return states @ self.mixing.T - beta * self.slopes(states)

    def draw(
        self, count: int, actions_each: int, generator: torch.Generator
    ) -> tuple[Tensor, ...]:
        """Return states ``(B, S)``, E actions each ``(B, E, 4)`` of p and energies ``(B, E)``."""
        states = torch.randn(count, self.mixing.shape[1], generator=generator)
        noise = torch.randn(count, actions_each, ACTION_DIM, generator=generator)
        actions = self.means(states, 0.0).unsqueeze(1) + noise
        return states, actions, (actions * self.slopes(states).unsqueeze(1)).sum(-1)


def plain_pairs(bandit: Bandit, count: int, generator: torch.Generator) -> Batch:
    """Return unweighted pairs: beta = 0."""
    states, actions, _ = bandit.draw(count, 1, generator)
    return states, actions[:, 0], torch.ones(count)


def batch_pairs(bandit: Bandit, count: int, generator: torch.Generator) -> Batch:
    """Return pairs weighted over the batch: the batch estimator.

    It tilts the states, too: their law becomes ``p(s) E[exp(-beta E) | s]``. The minimiser at
    each state stays exact, but states of high energy are hardly trained on.
    """
    states, actions, energies = bandit.draw(count, 1, generator)
    return states, actions[:, 0], quiet_weights(energies[:, 0], 1.0)


def support_pairs(bandit: Bandit, m: int, count: int, generator: torch.Generator) -> Batch:
    """Return ``count / m`` states with m actions each, all in the loss: the support estimator.

    Weights sum to m over the actions of a state, so the batch loss is ``flow.weighted_loss``.
    """
    states, actions, energies = bandit.draw(count // m, m, generator)
    weights = support_weights(-energies.unsqueeze(0), torch.ones(1, 1))[0]
    return states.repeat_interleave(m, 0), actions.flatten(0, 1), (m * weights).flatten()


def drawn_pairs(bandit: Bandit, m: int, count: int, generator: torch.Generator) -> Batch:
    """Return ``count`` states with one of m actions each, drawn by its weight."""
    states, actions, energies = bandit.draw(count, m, generator)
    weights = support_weights(-energies.unsqueeze(0), torch.ones(1, 1))[0]
    chosen = draw_by_weight(weights, 1, generator)
    index = chosen.unsqueeze(-1).expand(-1, 1, ACTION_DIM)
    return states, actions.gather(1, index)[:, 0], torch.ones(count)


Pairs = Callable[[Bandit, int, torch.Generator], Batch]
ESTIMATORS: dict[str, Pairs] = {
    "plain": plain_pairs,
    "batch": batch_pairs,
    "support 16": lambda bandit, count, g: support_pairs(bandit, 16, count, g),
    "support 64": lambda bandit, count, g: support_pairs(bandit, 64, count, g),
    "1 of 64": lambda bandit, count, g: drawn_pairs(bandit, 64, count, g),
}
