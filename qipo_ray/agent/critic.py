"""Stage 2, critic: an in-support Q of the behaviour (paper, phase 2).

The target at s' is the softmax average of Q over support actions that the behaviour model proposes
there. Two switches leave the paper: a first part that regresses on returns-to-go
(``returns_updates``, printed as ``returns-init``), because from scratch the softmax target stays
near its start for 1/(polyak (1 - discount)) updates, and layer norm.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from qipo_ray.agent.pack import Member, Pack, State, stream
from qipo_ray.agent.sampling import ActionSampler, support_actions, support_pool
from qipo_ray.agent.tensors import Tensors
from qipo_ray.config import Config
from qipo_ray.nets import TwinQ
from qipo_ray.nets.stack import Params


def twin_q(config: Config, data: Tensors) -> TwinQ:
    """Return the twin-Q network of a configuration."""
    c = config.critic
    return TwinQ(data.state_dim, data.action_dim, c.width, c.layers, norm=c.layer_norm)


class CriticPack(Pack):
    """Members that learn Q; each holds support actions at the next states of its pool."""

    stage = "critic"
    metric_names = ("loss", "q_data", "target", "support_q_std")

    def __init__(self, config: Config, data: Tensors) -> None:
        super().__init__(data)
        self.batch_size = config.critic.batch_size
        self.discount = config.critic.discount
        self.sampler = ActionSampler(config, data.state_dim, data.action_dim)
        self.q = twin_q(config, data)
        self.online = self._stack("online", self.q.shapes, 2, trainable=True)
        self.target = self._stack("target", self.q.shapes, 2)
        self.prior = self._stack("behaviour", self.sampler.network.shapes, saved=False)
        self.support: list[
            tuple[int, Tensor, Tensor]
        ] = []  # renewal, pool (P,), actions (P, M, A)

    def _start(self, member: Member, upstream: Mapping[str, State]) -> dict[str, Tensor]:
        generator = stream(member.seed, self.stage, "weights")
        twins = [self.q.fresh(generator) for _ in range(2)]
        if member.config.critic.returns_updates:  # part of returns-init: start at the mean return
            for weights in twins:
                weights["out.bias"].fill_(self.data.returns[self.data.with_returns].mean().item())
        rows = torch.cat([self.online.pack_row(weights) for weights in twins])
        behaviour = upstream["behaviour"]["weights"]["online"]
        return {"online": rows, "target": rows.clone(), "behaviour": behaviour}

    def _rate(self, config: Config) -> float:
        return config.critic.learning_rate

    def _changed(self) -> None:
        configs = [member.config.critic for member in self.members]
        self.temperature = self.column([c.temperature for c in configs]).unsqueeze(-1)
        self.polyak = self.column([c.polyak for c in configs]).repeat_interleave(2, 0)
        none = torch.empty(0, dtype=torch.long)
        self.support += [(-1, none, none)] * (len(self.members) - len(self.support))

    def _forget(self, i: int) -> None:
        del self.support[i]

    def _before(self) -> None:
        for i, member in enumerate(self.members):
            c = member.config.critic
            since = member.updates - c.returns_updates
            if since < 0:
                continue
            renewal = since // c.refresh_every
            if self.support[i][0] != renewal:
                self._renew(i, renewal)
            if since == 0:  # the target starts at what the regression found
                rows = slice(2 * i, 2 * i + 2)
                self.target.flat[rows] = self.online.flat[rows]

    def _renew(self, i: int, renewal: int) -> None:
        member = self.members[i]
        c = member.config.critic
        generator = stream(member.seed, self.stage, "support", renewal, device=self.data.device)
        pool = support_pool(self.data.rows, c.pool, generator)
        states = self.data.next_observations[pool]
        params = self.prior.slice(i, i + 1)
        actions = support_actions(self.sampler, params, states, c.support_size, generator)
        self.support[i] = (renewal, pool, actions)

    def _losses(self) -> tuple[Tensor, list[Tensor]]:
        bootstrapped = [
            i
            for i, member in enumerate(self.members)
            if member.updates >= member.config.critic.returns_updates
        ]
        rows, spots = self._draw(bootstrapped)
        targets = self.data.returns[rows]
        spread = targets.new_zeros(len(self.members))
        if bootstrapped:
            values, spreads = self._bootstrap(bootstrapped, rows, spots)
            targets[bootstrapped], spread[bootstrapped] = values, spreads
        states, actions = self.data.observations[rows], self.data.actions[rows].unsqueeze(2)
        q = self.q(self.online.params, states, actions).squeeze(-1)  # (N, 2, B)
        loss = (q - targets.unsqueeze(1)).square().mean(2)  # (N, 2)
        metrics = [loss.mean(1).detach(), q.detach().mean((1, 2)), targets.mean(1), spread]
        return loss.sum(1), metrics

    def _draw(self, bootstrapped: list[int]) -> tuple[Tensor, Tensor]:
        """Return rows of the data ``(N, B)`` and their places in the support pools ``(N, B)``."""
        rows, spots = [], []
        known = self.data.with_returns
        for i, member in enumerate(self.members):
            source = self.support[i][1] if i in bootstrapped else known
            spot = torch.randint(
                len(source), (self.batch_size,), generator=member.generator, device=source.device
            )
            rows.append(source[spot])
            spots.append(spot)
        return torch.stack(rows), torch.stack(spots)

    @torch.no_grad()
    def _bootstrap(self, members: list[int], rows: Tensor, spots: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``r + discount (1 - d) V(s')`` as ``(n, B)`` and the spread of Q ``(n,)``.

        ``V(s') = sum_j softmax_j(temperature Q(s', a_j)) Q(s', a_j)`` with Q the minimum of the
        target twins and ``a_j`` from the behaviour (paper, phase 2; q_alpha is the temperature).
        """
        actions = torch.stack([self.support[i][2][spots[i]] for i in members])
        rows = rows[members]
        q = self.q(self._target_of(members), self.data.next_observations[rows], actions).amin(1)
        value = (torch.softmax(self.temperature[members] * q, -1) * q).sum(-1)
        going_on = 1 - self.data.terminals[rows]
        return self.data.rewards[rows] + self.discount * going_on * value, q.std(-1).mean(1)

    def _target_of(self, members: list[int]) -> Params:
        if len(members) == len(self.members):
            return self.target.params
        index = [2 * i + r for i in members for r in range(2)]
        return {name: value[index] for name, value in self.target.params.items()}

    def _after(self) -> None:
        self.target.flat.lerp_(self.online.flat, self.polyak)
