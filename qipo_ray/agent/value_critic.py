"""The critic stage with IQL's value network in place of support actions (`critic.target: value`).

Kostrikov, Nair and Levine, "Offline Reinforcement Learning with Implicit Q-Learning" (ICLR 2022):
V follows the expectile of the target twins' minimum over the data's actions (equation 5), Q
follows r + discount (1 - d) V(s') (equation 6), both in one update and from the same weights. No
action is drawn at s'. V is trained from the first update on, also while Q regresses on
returns-to-go, so that it knows the data's values when it is first asked.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from qipo_ray.agent.critic import At, CriticPack
from qipo_ray.agent.expectile import expectile_loss
from qipo_ray.agent.pack import Member, State, stream
from qipo_ray.agent.tensors import Tensors
from qipo_ray.config import Config
from qipo_ray.nets.mlp import Mlp


class ValueCriticPack(CriticPack):
    """Members that learn Q beside V, one V for each pair of twins."""

    metric_names = ("loss", "q_data", "target", "v_loss")
    joint = ("online", "value")

    def __init__(self, config: Config, data: Tensors) -> None:
        super().__init__(config, data)
        self.half = False  # as Q, in single precision always
        c = config.critic
        self.v = Mlp(data.state_dim, 1, c.width, c.layers, norm=c.layer_norm)
        self.value = self._stack("value", self.v.shapes, c.pairs, trainable=True)
        self.every_row = torch.arange(data.rows, device=data.device)

    def _start(self, member: Member, upstream: Mapping[str, State]) -> dict[str, Tensor]:
        rows = super()._start(member, upstream)
        generator = stream(member.seed, self.stage, "value")
        values = [self.v.fresh(generator) for _ in range(member.config.critic.pairs)]
        if member.config.critic.returns_updates:  # as the twins: at the mean return
            for weights in values:
                weights["out.bias"].fill_(self._mean_return())
        return {**rows, "value": torch.cat([self.value.pack_row(weights) for weights in values])}

    def _changed(self) -> None:
        super()._changed()
        self.tau = self.expectile.squeeze(-1)

    def _renew(self, i: int, since: int) -> None:
        """Draw nothing: V needs no support actions."""

    def _rows_of(self, i: int, *, bootstrapped: bool) -> Tensor:
        if not bootstrapped:
            return self.with_returns[i]
        kept = self.kept[i]
        return self.every_row if kept is None else kept

    def _bootstrap(self, at: At, rows: Tensor, *supports: Tensor) -> tuple[Tensor, Tensor]:
        # Departure D44: V of the data's actions, in place of an average over support actions.
        with torch.no_grad():
            value = self._worth(self.steps.following[rows])[at]
        return self._bellman(rows[at], value), value.new_zeros(len(value))

    def _loss_of(self, *draws: Tensor) -> tuple[Tensor, list[Tensor]]:
        q_loss, metrics = super()._loss_of(*draws)
        rows = draws[0]
        states, actions = self.data.states[rows], self.data.actions[rows].unsqueeze(2)
        lowest = self.q.lowest(self.target.params, states, actions).squeeze(-1)  # (N, K, B)
        v_loss = expectile_loss(lowest - self._worth(states), self.tau)
        return q_loss + v_loss.sum(1), [*metrics[:-1], v_loss.mean(1).detach()]

    def _worth(self, states: Tensor) -> Tensor:
        """Return every pair's V ``(N, K, B)`` of states ``(N, B, S)``."""
        n, b, inputs = states.shape
        pairs = self.q.rows // 2
        repeated = states.unsqueeze(1).expand(-1, pairs, -1, -1).reshape(n * pairs, b, inputs)
        return self.v(self.value.params, repeated).view(n, pairs, b)
