"""QIPO and its baselines for N members at once; QIPO in the paper's order, stage by stage."""

from __future__ import annotations

from qipo_ray.agent.behaviour import BehaviourPack
from qipo_ray.agent.best_of_n import BestOfNPack
from qipo_ray.agent.cloning import CloningPack
from qipo_ray.agent.critic import CriticPack
from qipo_ray.agent.fql import FQLPack
from qipo_ray.agent.iql import IQLPack
from qipo_ray.agent.pack import Diverged, Member, Pack, State
from qipo_ray.agent.policy import PolicyPack
from qipo_ray.agent.qgpo import QGPOPack
from qipo_ray.agent.sampling import ActionSampler
from qipo_ray.agent.td3bc import TD3BCPack
from qipo_ray.agent.tensors import Tensors
from qipo_ray.agent.value_critic import ValueCriticPack
from qipo_ray.config import Config

CRITIC_PACKS: dict[str, type[Pack]] = {  # by target
    "softmax": CriticPack,
    "expectile": CriticPack,
    "value": ValueCriticPack,
}
POLICY_PACKS: dict[str, type[Pack]] = {  # by method
    "qipo": PolicyPack,
    "cloning": CloningPack,
    "iql": IQLPack,
    "td3bc": TD3BCPack,
    "fql": FQLPack,
    "bestofn": BestOfNPack,
    "qgpo": QGPOPack,
}


def pack_of(stage: str, config: Config, data: Tensors) -> Pack:
    """Return an empty pack of a stage of the configuration's method."""
    packs: dict[str, type[Pack]] = {
        "behaviour": BehaviourPack,
        "critic": CRITIC_PACKS[config.critic.target],
        "policy": POLICY_PACKS[config.policy.method],
    }
    return packs[stage](config, data)


__all__ = [
    "POLICY_PACKS",
    "ActionSampler",
    "BehaviourPack",
    "CriticPack",
    "Diverged",
    "Member",
    "Pack",
    "PolicyPack",
    "State",
    "Tensors",
    "pack_of",
]
