"""QIPO and its baselines for N members at once; QIPO in the paper's order, stage by stage."""

from __future__ import annotations

from qipo_ray.agent.behaviour import BehaviourPack
from qipo_ray.agent.critic import CriticPack
from qipo_ray.agent.pack import Diverged, Member, Pack, State
from qipo_ray.agent.policy import PolicyPack
from qipo_ray.agent.sampling import ActionSampler
from qipo_ray.agent.tensors import Tensors
from qipo_ray.agent.value_critic import ValueCriticPack
from qipo_ray.config import Config, method_of

CRITIC_PACKS: dict[str, type[Pack]] = {  # by target
    "softmax": CriticPack,
    "expectile": CriticPack,
    "value": ValueCriticPack,
}


def pack_of(stage: str, config: Config, data: Tensors) -> Pack:
    """Return an empty pack of a stage of the configuration's method."""
    packs: dict[str, type[Pack]] = {
        "behaviour": BehaviourPack,
        "critic": CRITIC_PACKS[config.critic.target],
    }
    pack: type[Pack] = method_of(config).part("pack") if stage == "policy" else packs[stage]
    return pack(config, data)


__all__ = [
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
