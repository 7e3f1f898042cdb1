"""How a trained policy of any method acts: from noise through its flow, or in one pass."""

from __future__ import annotations

from qipo_ray.agent.sampling import ActingNetwork, ActionSampler
from qipo_ray.config import Config, method_of


def acting_network(
    config: Config, state_dim: int, action_dim: int, stage: str = "policy"
) -> ActingNetwork:
    """Return what acts in a configuration's method; of the stage ``behaviour`` it is the clone."""
    if stage != "policy":
        return ActionSampler(config, state_dim, action_dim)
    network: ActingNetwork = method_of(config).part("network")(config, state_dim, action_dim)
    return network
