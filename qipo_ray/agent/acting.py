"""How a trained policy of any method acts: from noise through its flow, or in one pass."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from qipo_ray.agent.direct import direct_policy
from qipo_ray.agent.sampling import ActionSampler
from qipo_ray.config import Config, method_of
from qipo_ray.nets.stack import Params, Shapes


class ActingNetwork(Protocol):
    """Actions ``(N, R, A)`` for normalised states ``(N, R, S)`` and noise ``(N, R, A)``."""

    def __call__(self, params: Params, states: Tensor, noise: Tensor) -> Tensor:
        """Return the actions."""


def acting_network(
    config: Config, state_dim: int, action_dim: int
) -> tuple[ActingNetwork, Shapes]:
    """Return what acts in a configuration's method, and the shapes of its weights."""
    if method_of(config).proposes:
        sampler = ActionSampler(config, state_dim, action_dim)
        return sampler, sampler.network.shapes
    policy = direct_policy(config, state_dim, action_dim)
    return policy, policy.shapes
