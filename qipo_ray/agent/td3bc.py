"""TD3+BC, a baseline: TD3 with a term that clones the data's actions.

Fujimoto and Gu, "A Minimalist Approach to Offline Reinforcement Learning" (NeurIPS 2021), and its
published code: the critics follow the minimum of the targets at a smoothed target action; in
every second update the actor follows alpha / mean|Q| of the first critic, less its squared
distance from the data's action (equation 5), and the targets move. Deterministic.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from qipo_ray.agent.iql import direct_policy, twins_of
from qipo_ray.agent.pack import DIVERGED_AT, Member, Pack, State, stream
from qipo_ray.agent.tensors import Tensors
from qipo_ray.config import Config
from qipo_ray.nets.mlp import Mlp

DELAY = 2  # updates of the critics for one of the actor and of the targets


class TD3BCPack(Pack):
    """Members that learn twin critics and, in every second update, an actor."""

    stage = "policy"
    metric_names = ("loss", "q_loss", "q_data")
    joint = ("critic",)

    def __init__(self, config: Config, data: Tensors) -> None:
        super().__init__(config, data)
        c, states, actions = config.td3bc, data.state_dim, data.action_dim
        self.batch_size, self.discount = c.batch_size, c.discount
        self.far = DIVERGED_AT * data.largest_return(c.discount)
        self.actor = direct_policy(config, states, actions)
        self.q = Mlp(states + actions, 1, c.width, c.layers)
        self.online = self._stack("online", self.actor.shapes, trainable=True)
        self.critic = self._stack("critic", self.q.shapes, 2, trainable=True)
        self.actor_target = self._stack("actor_target", self.actor.shapes)
        self.target = self._stack("target", self.q.shapes, 2)

    def _start(self, member: Member, upstream: Mapping[str, State]) -> dict[str, Tensor]:
        generator = stream(member.seed, "td3bc", "weights")
        twins = [self.critic.pack_row(self.q.fresh(generator)) for _ in range(2)]
        actor = self.online.pack_row(self.actor.fresh(generator))
        rows = {"critic": torch.cat(twins), "target": torch.cat(twins)}
        return {**rows, "online": actor, "actor_target": actor.clone()}

    def _rate(self, config: Config) -> float:
        return config.td3bc.learning_rate

    def _changed(self) -> None:
        settings = [member.config.td3bc for member in self.members]
        self.alpha = self.column([s.alpha for s in settings])
        self.smoothing = self.column([s.noise for s in settings]).unsqueeze(-1)
        self.cut = self.column([s.noise_clip for s in settings]).unsqueeze(-1)
        self.polyak = self.column([s.polyak for s in settings])

    def _limit(self, name: str) -> float:
        return self.far if name == "q_data" else super()._limit(name)

    def _losses(self) -> tuple[Tensor, list[Tensor]]:
        # Departure B2: rewards by ``data.reward``, as for all methods; the published code: raw.
        rows = self.rows(self.batch_size)
        states, actions = self.data.states[rows], self.data.actions[rows]
        with torch.no_grad():
            following = self.data.next_states[rows]
            noise = (self.smoothing * self.noise(*actions.shape[1:])).clamp(-self.cut, self.cut)
            chosen = (self.actor(self.actor_target.params, following) + noise).clamp(-1, 1)
            later = torch.cat([following, chosen], -1)
            bootstrap = twins_of(self.q, self.target.params, later).amin(1)
            going_on = 1 - self.data.terminals[rows]
            target = self.data.rewards[rows] + self.discount * going_on * bootstrap
        q = twins_of(self.q, self.critic.params, torch.cat([states, actions], -1))
        loss = (q - target.unsqueeze(1)).square().mean(2).sum(1)
        self.batch = states, actions
        self.actor_loss = torch.zeros_like(loss)
        return loss, [self.actor_loss, loss.detach(), q.detach().mean((1, 2))]

    def _after(self) -> None:
        """Move the actor and the targets of the members whose turn it is."""
        turn = [member.updates % DELAY == 0 for member in self.members]
        if not any(turn):
            return
        optimiser = self.optimisers["online"]
        optimiser.rest({i for i, due in enumerate(turn) if not due})
        loss = self._actor_loss(*self.batch)
        self._descend(loss, "online")
        # Metrics are means over all updates; the actor's loss counts for both of its two.
        due = self.column(turn).squeeze(1)
        self.sums[0] += DELAY * due * loss.detach()
        rates = self.polyak * due.unsqueeze(1)
        self.target.flat.lerp_(self.critic.flat, rates.repeat_interleave(2, 0))
        self.actor_target.flat.lerp_(self.online.flat, rates)

    def _actor_loss(self, states: Tensor, actions: Tensor) -> Tensor:
        """Return the actor's loss ``(N,)`` at states ``(N, B, S)``, actions ``(N, B, A)``."""
        acting = self.actor(self.online.params, states)
        critic = {name: value.detach() for name, value in self.critic.params.items()}
        q = twins_of(self.q, critic, torch.cat([states, acting], -1))[:, 0]
        scale = self.alpha.squeeze(1) / q.detach().abs().mean(1)
        return (acting - actions).square().mean((1, 2)) - scale * q.mean(1)
