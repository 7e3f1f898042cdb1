"""Stage 2, critic: an in-support Q of the behaviour (paper, phase 2).

The target at s' is the softmax average of Q over support actions that the behaviour model proposes
there. Switches that leave the paper: a first part that regresses on returns-to-go
(``returns_updates``, printed as ``returns-init``), because from scratch the softmax target stays
near its start for 1/(polyak (1 - discount)) updates; layer norm; the expectile of Q over the
support actions in place of its softmax average; several pairs of twins (`ensemble`); and targets
over several steps of the data (`steps`).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import torch
from torch import Tensor

from qipo_ray.agent.ensemble import twin_q
from qipo_ray.agent.evidence import held_out
from qipo_ray.agent.expectile import expectile
from qipo_ray.agent.pack import DIVERGED_AT, Member, State, stream
from qipo_ray.agent.sampling import cloned_weights
from qipo_ray.agent.steps import Steps
from qipo_ray.agent.support import SupportPack, SupportSet, support_pool
from qipo_ray.agent.tensors import Tensors
from qipo_ray.config import Config
from qipo_ray.config.run_methods import goes_on_from_returns
from qipo_ray.nets.stack import Params, Stack

At = Tensor | slice  # an index of members


class CriticPack(SupportPack[SupportSet]):
    """Members that learn Q; each holds support actions at the next states of its pool."""

    stage = "critic"
    metric_names = ("loss", "q_data", "target", "support_q_std")

    def __init__(self, config: Config, data: Tensors) -> None:
        super().__init__(config, data)
        self.batch_size = config.critic.batch_size
        self.target_rule, discount = config.critic.target, config.critic.discount
        # Departure D47: rewards of several steps before Q is asked; the paper: of one.
        self.steps = Steps.of(data, config.critic.n_step, discount)
        self.far = DIVERGED_AT * data.largest_return(discount)
        self.q = twin_q(config, data.state_dim, data.action_dim)
        self.online = self._stack("online", self.q.shapes, self.q.rows, trainable=True)
        self.target = self._stack("target", self.q.shapes, self.q.rows)
        self.prior = self._stack("behaviour", self.sampler.network.shapes, saved=False)
        self.borne_out: Stack | None = None  # Q as it ended on returns: the behaviour's own
        if config.critic.held_out:
            self.borne_out = self._stack("returns", self.q.shapes, self.q.rows)
        self.indices: dict[tuple[int, ...], Tensor] = {}  # of some members, on the device
        self.kept: list[Tensor | None] = []  # rows that are not held out, None: all
        self.with_returns: list[Tensor] = []  # those of them whose return-to-go is known

    def _start(self, member: Member, upstream: Mapping[str, State]) -> dict[str, Tensor]:
        self._hold_out(member)
        generator = stream(member.seed, self.stage, "weights")
        twins = [self.q.fresh(generator) for _ in range(self.q.rows)]
        if member.config.critic.returns_updates:  # part of returns-init: start at the mean return
            for weights in twins:
                weights["out.bias"].fill_(self._mean_return())
        rows = torch.cat([self.online.pack_row(weights) for weights in twins])
        behaviour = cloned_weights(member.config, upstream["behaviour"])
        own = {} if self.borne_out is None else {"returns": rows.clone()}
        return {"online": rows, "target": rows.clone(), "behaviour": behaviour, **own}

    def state(self, i: int) -> State:
        """Return what member ``i`` needs to go on, with Q of the returns if it leaves them."""
        state = super().state(i)
        if not goes_on_from_returns(self.members[i].config):
            state["weights"].pop("returns", None)
        return state

    def _mean_return(self) -> float:
        """Return the mean known return-to-go of the newest member's rows."""
        return self.data.returns[self.with_returns[-1]].mean().item()

    def _hold_out(self, member: Member) -> None:
        """Choose the rows that a new member is trained on: all, or those of some episodes."""
        # Departure D37: some episodes are left out, to hold Q against their returns.
        share, rows = member.config.critic.held_out, self.data.with_returns
        kept = ~held_out(self.data, share, member.seed) if share else None
        self.kept.append(None if kept is None else kept.nonzero().squeeze(1))
        self.with_returns.append(rows if kept is None else rows[kept[rows]])

    def _rate(self, config: Config) -> float:
        return config.critic.learning_rate

    def _limit(self, name: str) -> float:
        if name not in ("q_data", "target"):
            return super()._limit(name)
        return self.far

    def _changed(self) -> None:
        super()._changed()
        configs = [member.config.critic for member in self.members]
        self.temperature = self.column([c.temperature for c in configs])[..., None, None]
        self.expectile = self.column([c.expectile for c in configs])[..., None, None]
        self.polyak = self.column([c.polyak for c in configs]).repeat_interleave(self.q.rows, 0)
        self.indices.clear()

    def _forget(self, i: int) -> None:
        super()._forget(i)
        del self.kept[i], self.with_returns[i]

    def _pool(self, i: int, size: int, generator: torch.Generator) -> Tensor:
        kept = self.kept[i]
        if kept is None:
            return super()._pool(i, size, generator)
        return kept[support_pool(len(kept), size, generator)]

    def _before(self) -> None:
        for i, member in enumerate(self.members):
            since = member.updates - member.config.critic.returns_updates
            if since < 0:
                continue
            self._renew(i, since)
            if since == 0:  # the target starts at what the regression found
                rows = slice(*self._span("target", i))
                self.target.flat[rows] = self.online.flat[rows]
                if self.borne_out is not None:
                    self.borne_out.flat[rows] = self.online.flat[rows]

    def _renew(self, i: int, since: int) -> None:
        """Draw the support actions of member ``i`` anew if that is due, ``since`` returns."""
        renewal = since // self.members[i].config.critic.refresh_every
        present = self.support[i]
        if present is None or present.renewal != renewal:
            self.support[i] = None  # its memory is free before the next is made
            self.support[i] = self._drawn(i, renewal, self.prior, self.steps.following)

    def _bootstrapped(self) -> tuple[int, ...]:
        """Return the members that are past their regression on returns."""
        return tuple(
            i
            for i, member in enumerate(self.members)
            if member.updates >= member.config.critic.returns_updates
        )

    def _way(self) -> Hashable:
        return self._bootstrapped()

    def _draws(self) -> tuple[Tensor, ...]:
        """Return rows of the data ``(N, B)``, then support actions ``(n, B, M, A)`` of some.

        Those are the actions at the next states of the members whose targets ask Q.
        """
        bootstrapped, rows, spots = self._bootstrapped(), [], []
        for i, member in enumerate(self.members):
            source = self._rows_of(i, bootstrapped=i in bootstrapped)
            spot = torch.randint(
                len(source), (self.batch_size,), generator=member.generator, device=source.device
            )
            rows.append(source[spot])
            spots.append(spot)
        return torch.stack(rows), *self._support_at(bootstrapped, spots)

    def _support_at(self, members: Sequence[int], spots: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return the support actions of ``members`` at their places, if there are any."""
        drawn = [
            support.actions[spots[i]].float()
            for i in members
            if (support := self.support[i]) is not None
        ]
        return (torch.stack(drawn),) if drawn else ()

    def _loss_of(self, *draws: Tensor) -> tuple[Tensor, list[Tensor]]:
        rows, *supports = draws
        # Departure D14: returns-to-go instead of the Bellman target, first or throughout.
        targets = self.data.returns[rows].unsqueeze(1).repeat(1, self.q.rows // 2, 1)
        spread = targets.new_zeros(len(self.members))
        bootstrapped = self._bootstrapped()
        if bootstrapped:
            at = self._at(bootstrapped)
            targets[at], spread[at] = self._bootstrap(at, rows, *supports)
        states, actions = self.data.states[rows], self.data.actions[rows].unsqueeze(2)
        q = self.q(self.online.params, states, actions).squeeze(-1)  # (N, 2K, B)
        errors = q.unflatten(1, (-1, 2)) - targets.unsqueeze(2)
        loss = errors.square().mean(3).mean(2)  # (N, K), each pair's as if it were alone
        q_data, target = q.detach().mean((1, 2)), targets.flatten(1).mean(1)
        return loss.sum(1), [loss.mean(1).detach(), q_data, target, spread]

    def _rows_of(self, i: int, *, bootstrapped: bool) -> Tensor:
        """Return the rows of the data that member ``i`` draws from."""
        support = self.support[i]
        return self.with_returns[i] if support is None or not bootstrapped else support.pool

    @torch.no_grad()
    def _bootstrap(self, at: At, rows: Tensor, *supports: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``r + discount (1 - d) V(s')``, ``(n, K, B)``, and the spread of Q ``(n,)``.

        Of several steps r is their discounted sum and s' the state after them (`Steps`). ``at``
        are the n members, ``rows`` those of all ``(N, B)``.

        ``V(s') = sum_j softmax_j(temperature Q(s', a_j)) Q(s', a_j)`` with Q the minimum of a
        pair's target twins and ``a_j`` from the behaviour (paper, phase 2; q_alpha is the
        temperature).
        """
        rows = rows[at]
        q = self.q.lowest(self._target_of(at), self.steps.following[rows], *supports)
        if self.target_rule == "softmax":
            value = (torch.softmax(self.temperature[at] * q, -1) * q).sum(-1)
        else:
            # Departure D15: the expectile instead of the softmax average.
            value = expectile(q, self.expectile[at])
        return self._bellman(rows, value), q.std(-1).flatten(1).mean(1)

    def _bellman(self, rows: Tensor, value: Tensor) -> Tensor:
        """Return ``r + discount (1 - d) value`` of each pair ``(n, K, B)`` at rows ``(n, B)``."""
        rewards, carry = self.steps.rewards[rows], self.steps.carry[rows]
        return rewards.unsqueeze(1) + carry.unsqueeze(1) * value

    def _at(self, members: tuple[int, ...]) -> At:
        """Return an index of ``members``; it is copied to the device once, not in every update."""
        if len(members) == len(self.members):
            return slice(None)
        if members not in self.indices:
            self.indices[members] = torch.tensor(members, device=self.data.device)
        return self.indices[members]

    def _target_of(self, at: At) -> Params:
        """Return the target twins of the members at ``at``."""
        return {
            name: value.unflatten(0, (-1, self.q.rows))[at].flatten(0, 1)
            for name, value in self.target.params.items()
        }

    def _after(self) -> None:
        self.target.flat.lerp_(self.online.flat, self.polyak)
