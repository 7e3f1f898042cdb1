"""Transitions on a device, as the three stages read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
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
    def from_observations(cls, observations: Tensor, kind: str) -> Normaliser:
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
        # Departure D28: standardised observations.
        return ((observations - mean) / scale).clamp(-CLAMP, CLAMP)

    def state(self) -> dict[str, Tensor | bool]:
        """Return the constants for a checkpoint."""
        return {"mean": self.mean, "scale": self.scale, "standard": self.standard}


@dataclass(frozen=True)
class Tensors:
    """One task's transitions on a device, shared by all members of a pack; D rows."""

    states: Tensor  # (D, S), normalised observations
    actions: Tensor  # (D, A)
    rewards: Tensor  # (D,)
    next_states: Tensor  # (D, S)
    terminals: Tensor  # (D,), 0 or 1
    returns: Tensor  # (D,), discounted return-to-go
    with_returns: Tensor  # (R,), rows whose return-to-go is known
    episodes: Tensor  # (D,), the number of each row's episode, int32
    normaliser: Normaliser
    reward_scale: float = 1.0  # what the reward rule multiplied the data's rewards by

    @classmethod
    def from_transitions(
        cls, transitions: Transitions, observations: str, device: torch.device
    ) -> Tensors:
        """Return ``transitions`` on ``device``, observations ``raw`` or ``standard``.

        On the CPU what is not changed shares its memory with ``transitions``.
        """

        def tensor(array: npt.NDArray[np.float32]) -> Tensor:
            return torch.from_numpy(array).to(device)

        raw = tensor(transitions.observations)
        normaliser = Normaliser.from_observations(raw.cpu(), observations)
        valid = torch.from_numpy(np.flatnonzero(transitions.returns_valid))
        return cls(
            states=normaliser(raw),
            actions=tensor(transitions.actions),
            rewards=tensor(transitions.rewards),
            next_states=normaliser(tensor(transitions.next_observations)),
            terminals=tensor(transitions.terminals),
            returns=tensor(transitions.returns),
            with_returns=valid.to(device),
            episodes=torch.from_numpy(transitions.episodes).to(device),
            normaliser=normaliser,
            reward_scale=transitions.reward_scale,
        )

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], device: torch.device) -> Tensors:
        """Return what ``arrays()`` was called on; on the CPU its memory is that of ``arrays``."""
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        scale = tensors.pop("reward_scale").item()
        normaliser = Normaliser(
            tensors.pop("mean"), tensors.pop("scale"), bool(tensors.pop("standard"))
        )
        return cls(
            **{name: tensor.to(device) for name, tensor in tensors.items()},
            normaliser=normaliser,
            reward_scale=scale,
        )

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the contents by name; on the CPU they share their memory."""
        tensors = {**vars(self), **self.normaliser.state()}
        del tensors["normaliser"]
        return {name: torch.as_tensor(value).cpu().numpy() for name, value in tensors.items()}

    def largest_return(self, discount: float) -> float:
        """Return the largest size of a discounted return that the rewards allow, at least 1."""
        largest = float(self.rewards.abs().max()) / (1 - discount)
        return max(1.0, largest, float(self.returns.abs().max()))

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
        return self.states.shape[1]

    @property
    def action_dim(self) -> int:
        """Dimensions of an action, A."""
        return self.actions.shape[1]
