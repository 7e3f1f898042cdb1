"""Stage 1, behaviour: clone the data with an unweighted flow or diffusion (paper, phase 1).

An average of the network goes along: by switch the later stages go on from it, and where the
policy's average is scored, so is this one.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from qipo_ray.agent.pack import FAR, Member, Pack, State, stream
from qipo_ray.agent.sampling import ActionSampler
from qipo_ray.agent.tensors import Tensors
from qipo_ray.config import Config
from qipo_ray.flow import regression_loss


class BehaviourPack(Pack):
    """Members that clone the data's actions."""

    stage = "behaviour"
    metric_names = ("loss",)

    def __init__(self, config: Config, data: Tensors) -> None:
        super().__init__(config, data)
        self.batch_size = config.behaviour.batch_size
        self.sampler = ActionSampler(config, data.state_dim, data.action_dim)
        self.network = self.sampler.network
        self.online = self._stack("online", self.network.shapes, trainable=True)
        self.ema = self._stack("ema", self.network.shapes)

    def _start(self, member: Member, upstream: Mapping[str, State]) -> dict[str, Tensor]:
        weights = self.network.fresh(stream(member.seed, self.stage, "weights"))
        row = self.online.pack_row(weights)
        return {"online": row, "ema": row}

    def _rate(self, config: Config) -> float:
        return config.behaviour.learning_rate

    def _limit(self, name: str) -> float:
        return FAR * self.data.action_dim if name == "loss" else super()._limit(name)

    def _changed(self) -> None:
        self.ema_rate = self.column([m.config.behaviour.ema_rate for m in self.members])

    def _losses(self) -> tuple[Tensor, list[Tensor]]:
        rows = self.pick(self.data.rows, self.batch_size)
        states, actions = self.data.states[rows], self.data.actions[rows]
        field = self.sampler.field(self.online.params, states)
        noise, times = self.noise(*actions.shape[1:]), self.times(self.batch_size)
        per_sample = regression_loss(field, actions, noise, times)
        loss = per_sample.mean(1)
        return loss, [loss.detach()]

    def _after(self) -> None:
        self.ema.flat.lerp_(self.online.flat, self.ema_rate)
