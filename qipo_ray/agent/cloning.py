"""Cloning as a method of its own: the policy is the clone, and nothing more is trained."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from qipo_ray.agent.pack import Member, Pack, State
from qipo_ray.agent.sampling import network_of
from qipo_ray.agent.tensors import Tensors
from qipo_ray.config import Config


class CloningPack(Pack):
    """Members that hold the behaviour's network and its average, whatever their update."""

    stage = "policy"
    metric_names = ()

    def __init__(self, config: Config, data: Tensors) -> None:
        super().__init__(config, data)
        network = network_of(config.behaviour, data.state_dim, data.action_dim)
        self._stack("online", network.shapes)
        self._stack("ema", network.shapes)

    def _start(self, member: Member, upstream: Mapping[str, State]) -> dict[str, Tensor]:
        weights: dict[str, Tensor] = upstream["behaviour"]["weights"]
        return {name: weights[name] for name in ("online", "ema")}

    def _rate(self, config: Config) -> float:
        return config.behaviour.learning_rate

    def _losses(self) -> tuple[Tensor, list[Tensor]]:
        raise NotImplementedError("nothing is trained")

    def update(self) -> None:
        """Count an update; there is nothing to compute."""
        for member in self.members:
            member.updates += 1
            member.counted += 1
