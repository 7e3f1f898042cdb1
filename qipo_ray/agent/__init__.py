"""QIPO for N members at once, in the paper's order: behaviour, critic, support, policy."""

from __future__ import annotations

from collections.abc import Callable

from qipo_ray.agent.behaviour import BehaviourPack
from qipo_ray.agent.critic import CriticPack
from qipo_ray.agent.pack import Diverged, Member, Pack, State
from qipo_ray.agent.policy import PolicyPack
from qipo_ray.agent.sampling import ActionSampler
from qipo_ray.agent.tensors import Tensors
from qipo_ray.config import Config

PACKS: dict[str, Callable[[Config, Tensors], Pack]] = {
    "behaviour": BehaviourPack,
    "critic": CriticPack,
    "policy": PolicyPack,
}

__all__ = [
    "PACKS",
    "ActionSampler",
    "BehaviourPack",
    "CriticPack",
    "Diverged",
    "Member",
    "Pack",
    "PolicyPack",
    "State",
    "Tensors",
]
