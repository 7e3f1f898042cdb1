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

from qipo_ray.agent.pack import DIVERGED_AT, Member, Pack, State, stream
from qipo_ray.agent.tensors import Tensors
from qipo_ray.config import Config
from qipo_ray.nets.mlp import DirectPolicy, Mlp

MOST_WEIGHT = 100.0  # of exp(beta A), as in the published code
LOG_STD = (-20.0, 2.0)  # bounds of the logarithm of the policy's deviation


def direct_policy(config: Config, state_dim: int, action_dim: int) -> DirectPolicy:
    """Return the network that acts in IQL and TD3+BC."""
    gaussian = config.policy.method == "iql"
    settings = config.iql if gaussian else config.td3bc
    width, layers = settings.width, settings.layers
    return DirectPolicy(state_dim, action_dim, width, layers, spread=gaussian)


class IQLPack(Pack):
    """Members that learn Q, V and a Gaussian policy at once."""

    stage = "policy"
    metric_names = ("loss", "q_loss", "v_loss", "q_data", "advantage")
    joint = ("online", "critic", "value")

    def __init__(self, config: Config, data: Tensors) -> None:
        super().__init__(config, data)
        c, states, actions = config.iql, data.state_dim, data.action_dim
        self.batch_size, self.discount = c.batch_size, c.discount
        self.far = DIVERGED_AT * data.largest_return(c.discount)
        self.actor = direct_policy(config, states, actions)
        self.q = Mlp(states + actions, 1, c.width, c.layers)
        self.v = Mlp(states, 1, c.width, c.layers)
        self.online = self._stack("online", self.actor.shapes, trainable=True)
        self.critic = self._stack("critic", self.q.shapes, 2, trainable=True)
        self.value = self._stack("value", self.v.shapes, trainable=True)
        self.target = self._stack("target", self.q.shapes, 2)

    def _start(self, member: Member, upstream: Mapping[str, State]) -> dict[str, Tensor]:
        generator = stream(member.seed, "iql", "weights")
        twins = [self.critic.pack_row(self.q.fresh(generator)) for _ in range(2)]
        return {
            "critic": torch.cat(twins),
            "target": torch.cat(twins),
            "value": self.value.pack_row(self.v.fresh(generator)),
            "online": self.online.pack_row(self.actor.fresh(generator)),
        }

    def _rate(self, config: Config) -> float:
        # Departure B1: the policy's rate is constant; CORL lowers it to 0 by a cosine.
        return config.iql.learning_rate

    def _changed(self) -> None:
        settings = [member.config.iql for member in self.members]
        self.expectile = self.column([s.expectile for s in settings])
        self.beta = self.column([s.beta for s in settings])
        self.polyak = self.column([s.polyak for s in settings]).repeat_interleave(2, 0)

    def _limit(self, name: str) -> float:
        return self.far if name == "q_data" else super()._limit(name)

    def _losses(self) -> tuple[Tensor, list[Tensor]]:
        rows = self.rows(self.batch_size)
        states, actions = self.data.states[rows], self.data.actions[rows]
        pairs = torch.cat([states, actions], -1)
        with torch.no_grad():
            lowest = twins_of(self.q, self.target.params, pairs).amin(1)
            bootstrap = self.v(self.value.params, self.data.next_states[rows]).squeeze(-1)
            going_on = 1 - self.data.terminals[rows]
            target = self.data.rewards[rows] + self.discount * going_on * bootstrap
        worth = self.v(self.value.params, states).squeeze(-1)
        advantage = lowest - worth
        v_loss = expectile_loss(advantage, self.expectile)
        q = twins_of(self.q, self.critic.params, pairs)
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


def expectile_loss(advantage: Tensor, expectile: Tensor) -> Tensor:
    """Return the asymmetric squares ``(N,)`` of ``advantage (N, B)``, ``expectile`` ``(N, 1)``."""
    share = torch.where(advantage > 0, expectile, 1 - expectile)
    return (share * advantage.square()).mean(1)


def twins_of(q: Mlp, params: Mapping[str, Tensor], pairs: Tensor) -> Tensor:
    """Return both Q ``(N, 2, B)`` of states with actions ``(N, B, S + A)``."""
    n, b, inputs = pairs.shape
    both = pairs.unsqueeze(1).expand(-1, 2, -1, -1).reshape(2 * n, b, inputs)
    return q(params, both).view(n, 2, b)
