"""A finished policy distilled: a network of one pass that makes of a noise what its flow makes.

As in FQL (Park, Li and Levine, "Flow Q-Learning", ICML 2025), whose one-step policy follows Q
beside that; this one only learns what the policy does. States are the data's, noise is of the
scale by which the policy acts: without any the network learns the mode of the flow.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from qipo_ray.agent.acting import acting_network, one_step_network
from qipo_ray.agent.pack import Member, Pack, State, stream
from qipo_ray.agent.sampling import scored_weights
from qipo_ray.agent.tensors import Tensors
from qipo_ray.config import Config


class DistilPack(Pack):
    """Members that learn to act like the policy that they hold, frozen."""

    stage = "distil"
    metric_names = ("loss",)

    def __init__(self, config: Config, data: Tensors) -> None:
        super().__init__(config, data)
        self.half = False  # as the policies of one pass, in single precision always
        self.settings, self.scale = config.distil, config.sampler.noise
        self.teacher = acting_network(config, data.state_dim, data.action_dim)
        self.student = one_step_network(config, data.state_dim, data.action_dim)
        self.online = self._stack("online", self.student.shapes, trainable=True)
        self.policy = self._stack("policy", self.teacher.shapes, saved=False)

    def _start(self, member: Member, upstream: Mapping[str, State]) -> dict[str, Tensor]:
        fresh = self.student.fresh(stream(member.seed, self.stage, "weights"))
        weights = scored_weights(member.config, upstream["policy"])
        return {"online": self.online.pack_row(fresh), "policy": weights}

    def _rate(self, config: Config) -> float:
        return config.distil.learning_rate

    def _before(self) -> None:
        """Let the rate fall to 0: at a constant one the last network is a noisy draw."""
        left = [1 - member.updates / self.settings.updates for member in self.members]
        self.optimisers["online"].set_rates([self.settings.learning_rate * part for part in left])

    def _losses(self) -> tuple[Tensor, list[Tensor]]:
        states = self.data.states[self.rows(self.settings.batch_size)]
        noise = self.scale * self.noise(self.settings.batch_size, self.teacher.noise_dim)
        with torch.no_grad():
            taught = self.teacher(self.policy.params, states, noise).clamp(-1, 1)
        acted = self.student.network(self.online.params, torch.cat([states, noise], -1))
        loss = (acted - taught).square().mean((1, 2))
        return loss, [loss.detach()]


def distil(config: Config, data: Tensors, policy: State, seed: int) -> State:
    """Return the state of a network that has learned a finished policy; ``Diverged`` if it has."""
    pack = DistilPack(config, data)
    pack.admit(Member(config, seed), {"policy": policy}, None)
    for _ in range(config.distil.updates):
        pack.update()
    pack.check(0)
    return pack.state(0)
