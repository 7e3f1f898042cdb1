"""FQL, a baseline: Q-learning with a one-step policy that stays near the clone's flow.

Park, Li and Levine, "Flow Q-Learning" (ICML 2025), and its published code: the policy mu(s, z)
makes an action of noise in one pass. It follows the mean of the twins, less alpha times its
squared distance from the action that the flow makes of the same noise; the twins follow
r + gamma Q(s', mu(s', z)) with Q of their targets, all in one update and from the same weights.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from qipo_ray.agent.direct import DirectPack
from qipo_ray.agent.pack import Member, State, stream
from qipo_ray.agent.sampling import ActionSampler, cloned_weights
from qipo_ray.agent.tensors import Tensors
from qipo_ray.config import Config


class FQLPack(DirectPack):
    """Members that learn twin critics and a one-step policy beside a flow that is frozen."""

    metric_names = ("loss", "q_loss", "distance", "q_data", "q_policy")
    joint = ("online", "critic")

    def __init__(self, config: Config, data: Tensors) -> None:
        # Departure B5: layer norm before ReLU, and the initial weights of the other methods.
        super().__init__(config, data, norm=config.fql.critic_norm)
        self.lowest = config.fql.target == "minimum"
        # Departure B4: the clone's own network, path and solver.
        self.sampler = ActionSampler(config, data.state_dim, data.action_dim)
        self.prior = self._stack("behaviour", self.sampler.network.shapes, saved=False)

    def _start(self, member: Member, upstream: Mapping[str, State]) -> dict[str, Tensor]:
        generator = stream(member.seed, "fql", "weights")
        twins = self._fresh_twins(generator)
        actor = self.online.pack_row(self.actor.fresh(generator))
        # Departure B3: a clone that is trained before, and stays.
        behaviour = cloned_weights(member.config, upstream["behaviour"])
        return {**twins, "online": actor, "behaviour": behaviour}

    def _changed(self) -> None:
        settings = [member.config.fql for member in self.members]
        self.alpha = self.column([s.alpha for s in settings]).squeeze(1)
        self.scaled = self.column([s.normalise for s in settings]).squeeze(1)
        self.polyak = self.column([s.polyak for s in settings]).repeat_interleave(2, 0)

    def _losses(self) -> tuple[Tensor, list[Tensor]]:
        rows = self.rows(self.batch_size)
        states, actions = self.data.states[rows], self.data.actions[rows]
        later, start = self.noise(*actions.shape[1:]), self.noise(*actions.shape[1:])
        with torch.no_grad():
            target = self._target(rows, later)
            taught = self.sampler(self.prior.params, states, start)
        q = self._twins(self.critic.params, torch.cat([states, actions], -1))
        q_loss = (q - target.unsqueeze(1)).square().mean((1, 2))
        free = self.actor.network(self.online.params, torch.cat([states, start], -1))
        distance = (free - taught).square().mean((1, 2))
        frozen = self.critic.slice(0, self.critic.rows)
        worth = self._twins(frozen, torch.cat([states, free.clamp(-1, 1)], -1)).mean(1)  # (N, B)
        size = torch.where(self.scaled > 0, worth.detach().abs().mean(1), 1)
        loss = self.alpha * distance - worth.mean(1) / size
        parts = [loss, q_loss, distance, q.mean((1, 2)), worth.mean(1)]
        return loss + q_loss, [part.detach() for part in parts]

    def _target(self, rows: Tensor, noise: Tensor) -> Tensor:
        """Return what Q ``(N, B)`` follows at rows of the data, from ``noise (N, B, A)`` at s'."""
        following = self.data.next_states[rows]
        chosen = self.actor(self.online.params, following, noise)
        twins = self._twins(self.target.params, torch.cat([following, chosen], -1))
        return self._bellman(rows, twins.amin(1) if self.lowest else twins.mean(1))

    def _after(self) -> None:
        self.target.flat.lerp_(self.critic.flat, self.polyak)
