"""IQL, a baseline: implicit Q-learning on the data's own actions, then cloning weighted by it.

Kostrikov, Nair and Levine, "Offline Reinforcement Learning with Implicit Q-Learning" (ICLR 2022),
as CORL's code has it, which users run: V follows the expectile of the target critics' minimum
(equation 5), Q follows r + gamma V(s') (equation 6), the policy is cloned with the weights
exp(beta (Q - V)) (equation 7), all in one update and from the same weights. It acts by its mean.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from qipo_ray.agent.direct import DirectPack
from qipo_ray.agent.expectile import expectile_loss
from qipo_ray.agent.pack import Member, State, stream
from qipo_ray.agent.tensors import Tensors
from qipo_ray.config import Config
from qipo_ray.nets.mlp import Mlp

MOST_WEIGHT = 100.0  # of exp(beta A), as in the published code
LOG_STD = (-20.0, 2.0)  # bounds of the logarithm of the policy's deviation


class IQLPack(DirectPack):
    """Members that learn Q, V and a Gaussian policy at once."""

    # Departure B1: the policy's rate is constant; CORL lowers it to 0 by a cosine.
    metric_names = ("loss", "q_loss", "v_loss", "q_data", "advantage")
    joint = ("online", "critic", "value")

    def __init__(self, config: Config, data: Tensors) -> None:
        super().__init__(config, data)
        self.v = Mlp(data.state_dim, 1, config.iql.width, config.iql.layers)
        self.value = self._stack("value", self.v.shapes, trainable=True)

    def _start(self, member: Member, upstream: Mapping[str, State]) -> dict[str, Tensor]:
        generator = stream(member.seed, "iql", "weights")
        twins = self._fresh_twins(generator)
        value = self.value.pack_row(self.v.fresh(generator))
        actor = self.online.pack_row(self.actor.fresh(generator))
        return {**twins, "value": value, "online": actor}

    def _changed(self) -> None:
        settings = [member.config.iql for member in self.members]
        self.expectile = self.column([s.expectile for s in settings])
        self.beta = self.column([s.beta for s in settings])
        self.polyak = self.column([s.polyak for s in settings]).repeat_interleave(2, 0)

    def _losses(self) -> tuple[Tensor, list[Tensor]]:
        rows = self.rows(self.batch_size)
        states, actions = self.data.states[rows], self.data.actions[rows]
        pairs = torch.cat([states, actions], -1)
        with torch.no_grad():
            lowest = self._twins(self.target.params, pairs).amin(1)
            later = self.v(self.value.params, self.data.next_states[rows]).squeeze(-1)
            target = self._bellman(rows, later)
        worth = self.v(self.value.params, states).squeeze(-1)
        advantage = lowest - worth
        v_loss = expectile_loss(advantage, self.expectile)
        q = self._twins(self.critic.params, pairs)
        q_loss = (q - target.unsqueeze(1)).square().mean((1, 2))
        weight = (self.beta * advantage.detach()).exp().clamp(max=MOST_WEIGHT)
        policy_loss = (weight * self._surprise(states, actions)).mean(1)
        parts = [policy_loss, q_loss, v_loss, q.mean((1, 2)), advantage.mean(1)]
        return policy_loss + q_loss + v_loss, [part.detach() for part in parts]

    def _surprise(self, states: Tensor, actions: Tensor) -> Tensor:
        """Return -log of the policy's density at actions ``(N, B, A)``: ``(N, B)``."""
        params = self.online.params
        log_std = params["log_std.shift"].clamp(*LOG_STD)
        scaled = (actions - self.actor(params, states)) * (-log_std).exp()
        return (0.5 * scaled.square() + log_std + 0.5 * math.log(2 * math.pi)).sum(-1)

    def _after(self) -> None:
        self.target.flat.lerp_(self.critic.flat, self.polyak)
