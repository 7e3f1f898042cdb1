"""Cloning as a method of its own: the policy is the clone, and nothing more is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from qipo_ray.agent.behaviour import BehaviourPack
from qipo_ray.agent.pack import Member, State


class CloningPack(BehaviourPack):
    """Members that hold the behaviour's network and its average, whatever their update."""

    stage = "policy"
    metric_names: ClassVar[tuple[str, ...]] = ()

    def _start(self, member: Member, upstream: Mapping[str, State]) -> dict[str, Tensor]:
        self.best.append(None)
        weights: dict[str, Tensor] = upstream["behaviour"]["weights"]
        return {name: weights[name] for name in ("online", "ema")}

    def _learns(self, i: int) -> bool:
        return False
