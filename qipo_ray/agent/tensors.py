"""Transitions on a device, as the three stages read them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from qipo_ray.data.transitions import Transitions

CLAMP = 10.0  # standardised observations beyond 10 deviations are cut
FLOOR = 1e-3  # added to each deviation, so that a constant dimension stays finite


@dataclass(frozen=True)
class Normaliser:
    """``(x - mean) / scale``, cut at ±10 where it standardises; the identity for ``raw``."""

    mean: Tensor  # (S,)
    scale: Tensor  # (S,)
    standard: bool

    @classmethod
    def of(cls, observations: Tensor, kind: str) -> Normaliser:
        """Return the normaliser ``raw`` (paper) or ``standard`` (departure) of ``(D, S)``."""
        if kind == "raw":
            dim = observations.shape[1]
            return cls(torch.zeros(dim), torch.ones(dim), False)
        double = observations.double()
        mean, scale = double.mean(0), double.std(0, correction=0) + FLOOR
        return cls(mean.float(), scale.float(), True)

    def __call__(self, observations: Tensor) -> Tensor:
        """Return normalised observations ``(..., S)``."""
        if not self.standard:
            return observations
        mean, scale = self.mean.to(observations.device), self.scale.to(observations.device)
        return ((observations - mean) / scale).clamp(-CLAMP, CLAMP)

    def state(self) -> dict[str, Tensor | bool]:
        """Return the constants for a checkpoint."""
        return {"mean": self.mean, "scale": self.scale, "standard": self.standard}


@dataclass(frozen=True)
class Tensors:
    """One task's transitions on a device, shared by all members of a pack; D rows."""

    observations: Tensor  # (D, S), normalised
    actions: Tensor  # (D, A)
    rewards: Tensor  # (D,)
    next_observations: Tensor  # (D, S), normalised
    terminals: Tensor  # (D,), 0 or 1
    returns: Tensor  # (D,), discounted return-to-go
    with_returns: Tensor  # (R,), rows whose return-to-go is known
    normaliser: Normaliser

    @classmethod
    def of(cls, transitions: Transitions, observations: str, device: torch.device) -> Tensors:
        """Return ``transitions`` on ``device``, observations ``raw`` or ``standard``."""

        def tensor(array: np.ndarray) -> Tensor:
            return torch.tensor(array, dtype=torch.float32, device=device)  # copies: never aliases

        states = tensor(transitions.observations)
        normaliser = Normaliser.of(states.cpu(), observations)
        valid = torch.from_numpy(np.flatnonzero(transitions.returns_valid))
        return cls(
            observations=normaliser(states),
            actions=tensor(transitions.actions),
            rewards=tensor(transitions.rewards),
            next_observations=normaliser(tensor(transitions.next_observations)),
            terminals=tensor(transitions.terminals),
            returns=tensor(transitions.returns),
            with_returns=valid.to(device),
            normaliser=normaliser,
        )

    @property
    def device(self) -> torch.device:
        """Where the rows are."""
        return self.actions.device

    @property
    def rows(self) -> int:
        """Number of transitions D."""
        return self.actions.shape[0]

    @property
    def state_dim(self) -> int:
        """Dimensions of a state, S."""
        return self.observations.shape[1]

    @property
    def action_dim(self) -> int:
        """Dimensions of an action, A."""
        return self.actions.shape[1]
