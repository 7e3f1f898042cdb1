"""How a trained policy of any method acts: from noise through its flow, or in one pass."""

from __future__ import annotations

from qipo_ray.agent.best_of_n import BestByQ
from qipo_ray.agent.direct import direct_policy
from qipo_ray.agent.qgpo import GuidedSampler
from qipo_ray.agent.sampling import ActingNetwork, ActionSampler
from qipo_ray.config import Config, method_of
from qipo_ray.nets.stack import Shapes

# Of two networks, by method.
JUDGED: dict[str, type[BestByQ] | type[GuidedSampler]] = {
    "bestofn": BestByQ,
    "qgpo": GuidedSampler,
}


def acting_network(
    config: Config, state_dim: int, action_dim: int, stage: str = "policy"
) -> tuple[ActingNetwork, Shapes]:
    """Return what acts in a configuration's method, and the shapes of its weights.

    That is of the policy stage; of the stage ``behaviour`` it is the clone.
    """
    if stage == "policy" and not method_of(config).proposes:
        policy = direct_policy(config, state_dim, action_dim)
        return policy, policy.shapes
    if stage == "policy" and config.policy.method in JUDGED:
        network = JUDGED[config.policy.method](config, state_dim, action_dim)
        return network, network.shapes
    sampler = ActionSampler(config, state_dim, action_dim)
    return sampler, sampler.network.shapes
