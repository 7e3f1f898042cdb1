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

from qipo_ray.agent.direct import DirectPack
from qipo_ray.agent.pack import Member, State, stream
from qipo_ray.agent.tensors import Tensors
from qipo_ray.config import Config

DELAY = 2  # updates of the critics for one of the actor and of the targets


class TD3BCPack(DirectPack):
    """Members that learn twin critics and, in every second update, an actor."""

    metric_names = ("loss", "q_loss", "q_data")
    joint = ("critic",)

    def __init__(self, config: Config, data: Tensors) -> None:
        super().__init__(config, data)
        self.actor_target = self._stack("actor_target", self.actor.shapes)

    def _start(self, member: Member, upstream: Mapping[str, State]) -> dict[str, Tensor]:
        generator = stream(member.seed, "td3bc", "weights")
        twins = self._fresh_twins(generator)
        actor = self.online.pack_row(self.actor.fresh(generator))
        return {**twins, "online": actor, "actor_target": actor.clone()}

    def _changed(self) -> None:
        settings = [member.config.td3bc for member in self.members]
        self.alpha = self.column([s.alpha for s in settings])
        self.smoothing = self.column([s.noise for s in settings]).unsqueeze(-1)
        self.cut = self.column([s.noise_clip for s in settings]).unsqueeze(-1)
        self.polyak = self.column([s.polyak for s in settings])

    def _losses(self) -> tuple[Tensor, list[Tensor]]:
        # Departure B2: rewards by ``data.reward``, as for all methods; the published code: raw.
        rows = self.rows(self.batch_size)
        states, actions = self.data.states[rows], self.data.actions[rows]
        with torch.no_grad():
            following = self.data.next_states[rows]
            noise = (self.smoothing * self.noise(*actions.shape[1:])).clamp(-self.cut, self.cut)
            chosen = (self.actor(self.actor_target.params, following) + noise).clamp(-1, 1)
            later = self._twins(self.target.params, torch.cat([following, chosen], -1))
            target = self._bellman(rows, later.amin(1))
        q = self._twins(self.critic.params, torch.cat([states, actions], -1))
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
        q = self._twins(critic, torch.cat([states, acting], -1))[:, 0]
        scale = self.alpha.squeeze(1) / q.detach().abs().mean(1)
        return (acting - actions).square().mean((1, 2)) - scale * q.mean(1)
