"""Stage 3, policy: energy-weighted improvement over rounds (paper, Algorithm 2).

Each round draws support actions from the present policy, adds the data's action, weights them with
``softmax(beta Q)`` and regresses on them for K updates; Q stays frozen. After l rounds the target
is ``pi_l ∝ mu exp(l beta Q)`` (equation 5.4). Switches that leave the paper: ``loss_actions``
draws k of the M actions by weight (same expectation), ``pool`` bounds the states of a round,
``sampler: online`` draws support actions from the network itself instead of its average,
``beta_growth`` changes beta from round to round, ``target_ess`` finds the beta at which the
weights have a wanted effective sample size, whatever the unit of Q, and ``trust`` bounds it
where the policy would leave what the critic knows; a policy that is there already rests for the
round, it and its average. ``evidence`` leaves the policy as it is, in all rounds, where Q does
not foresee the returns of episodes that it was not trained on. ``data_updates`` come before the
rounds: there the policy learns from the data's own actions alone, weighted by what their episode
returned, or by their advantage. ``refit_updates`` train Q on between rounds, toward the policy.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from qipo_ray.agent.data_energy import (
    episode_returns,
    mixed,
    resampled,
    share_near_best,
    tilted,
)
from qipo_ray.agent.ensemble import twin_q, value_of
from qipo_ray.agent.evidence import evidence
from qipo_ray.agent.pack import FAR, Member, State, stream
from qipo_ray.agent.refit import Refit
from qipo_ray.agent.sampling import cloned_weights
from qipo_ray.agent.support import (
    FINITE,
    SupportPack,
    SupportSet,
    WeightedSet,
    chunks,
    drift,
    support_actions,
    support_beta,
    support_pool,
    trusted_beta,
)
from qipo_ray.agent.tensors import Tensors
from qipo_ray.config import Config
from qipo_ray.flow import (
    draw_by_weight,
    effective_sample_size,
    entropy,
    regression_loss,
    support_weights,
    weighted_loss,
)
from qipo_ray.nets.optimiser import Moments

# Of the weights: effective sample size, entropy in nats, share of the top action. Of Q over
# support actions: the mean, which rises with every round and is no success; the spread, which is
# what there is to select by; how far the mean is below what the critic knows (`trusted_beta`).
# Then the beta in use, and the policy's distance from the behaviour.
HEALTH = (
    "ess", "entropy", "top_weight", "support_q", "support_q_std", "room_q", "beta", "drift",
)  # fmt: skip
BEFORE_ROUNDS = -1  # renewal of the set that the first updates are on, the data's own actions
# Beside the rest of a state's weights, 1 in sum, single precision holds nothing smaller.
NEGLIGIBLE = torch.finfo(torch.float32).eps
V_ACTIONS = 8  # of the clone at a state, whose mean Q is what the state is worth
PROBES, BEST_OF = 256, 16  # states and actions of the behaviour that the last are measured with


class PolicyPack(SupportPack[WeightedSet]):
    """Members that improve their policy; each holds the support set of its present round."""

    stage = "policy"
    metric_names = ("loss", *HEALTH)

    def __init__(self, config: Config, data: Tensors) -> None:
        super().__init__(config, data)
        self.batch_size = config.policy.batch_size
        p = config.policy
        self.loss_actions = p.loss_actions
        self.actions = p.loss_actions or p.support_size + int(p.data_action)  # per state
        self.network = self.sampler.network
        self.q = twin_q(config, data.state_dim, data.action_dim)
        self.online = self._stack("online", self.network.shapes, trainable=True)
        self.ema = self._stack("ema", self.network.shapes)
        self.source = self._stack("sampler", self.network.shapes)  # as the round began
        self.refit: Refit | None = None  # a Q that is trained on belongs to the policy's state
        refitted = p.refit_updates > 0
        self.critic = self._stack("critic", self.q.shapes, self.q.rows, saved=refitted)
        self.prior = self._stack("behaviour", self.network.shapes, saved=False)
        self.follows: list[bool] = []  # Q; a member that does not has no rounds
        self.tilts: list[bool] = []  # the data's actions by weight; else there is no need to

    def _start(self, member: Member, upstream: Mapping[str, State]) -> dict[str, Tensor]:
        self.follows.append(self._sure(member, upstream))
        alone = member.config.policy.data_alone and self.follows[-1]  # rounds are better there
        self.tilts.append(not alone and self._rare(member))
        prior = cloned_weights(member.config, upstream["behaviour"])
        critic = upstream["critic"]["weights"]["online"]
        return {
            "online": prior,
            "ema": prior,
            "sampler": prior,
            "critic": critic,
            "behaviour": prior,
        }

    def _sure(self, member: Member, upstream: Mapping[str, State]) -> bool:
        """Return whether held-out episodes bear out Q as far as the member asks."""
        # Departure D38: rounds only where there is evidence that Q ranks actions rightly.
        least = member.config.policy.evidence
        if not least:
            return True
        states = upstream["behaviour"], upstream["critic"]
        return evidence(member.config, self.data, *states, member.seed).sure >= least

    def _rare(self, member: Member) -> bool:
        """Return whether good episodes are rarer in the data than their weights would make them.

        Where they are common the mode of the clone is theirs already.
        """
        p = member.config.policy
        if not p.data_updates or p.data_common == 1 or p.data_weight != "return":
            return p.data_updates > 0
        return share_near_best(self.data, p.data_common) < p.data_ess

    def _forget(self, i: int) -> None:
        super()._forget(i)
        del self.follows[i], self.tilts[i]

    def _on_data(self, i: int) -> bool:
        """Return whether member ``i`` is in its updates on the data's own actions."""
        member = self.members[i]
        return member.updates < member.config.policy.data_updates

    def _learns(self, i: int) -> bool:
        """Return whether member ``i`` trains now: on the data, or in rounds if it follows Q."""
        return self.tilts[i] if self._on_data(i) else self.follows[i]

    def pending_sets(self) -> int:
        """Return how many members have a support set still to come."""
        return super().pending_sets() if any(self.follows) else 0

    def _moments(self, upstream: Mapping[str, State]) -> list[Moments]:
        """Go on with the behaviour's Adam, as the paper's code does."""
        moments: list[Moments] = upstream["behaviour"]["moments"]
        return moments

    def _rate(self, config: Config) -> float:
        return config.policy.learning_rate

    def _present_rate(self, i: int) -> float:
        """Return the learning rate of member ``i`` in its present updates."""
        policy = self.members[i].config.policy
        own = policy.data_learning_rate if self._on_data(i) else 0.0
        return own or policy.learning_rate

    def _changed(self) -> None:
        super()._changed()
        self._rest()

    def _rest(self) -> None:
        """Let the members rest whose round says so: network, moments and average stay."""
        resting = {
            i
            for i, support in enumerate(self.support)
            if not self._learns(i) or (support is not None and support.rests)
        }
        rates = [m.config.policy.ema_rate for m in self.members]
        self.ema_rate = self.column([0 if i in resting else r for i, r in enumerate(rates)])
        learning = [self._learns(i) for i in range(len(self.members))]
        self.learning = self.column(learning).squeeze(1)
        self.optimisers["online"].set_rates([self._present_rate(i) for i in range(len(rates))])
        self.optimisers["online"].rest(resting)
        self.program.forget()

    def _before(self) -> None:
        for i, member in enumerate(self.members):
            p = member.config.policy
            since = member.updates - p.data_updates
            now, inside = divmod(since, p.renew_every) if since >= 0 else (BEFORE_ROUNDS, 1)
            present = self.support[i]
            if present is not None and present.renewal == now:
                continue
            if inside == 0:
                # Departure D19: the online network draws; the paper's code: its average.
                chosen = self.ema if p.sampler == "ema" else self.online
                self.source.flat[i] = chosen.flat[i]
                self._refit(i, now)
            self.support[i] = None  # its memory is free before the next is made
            self.support[i] = self._data_set(i) if since < 0 else self._renew(i, now)
            self._rest()

    def _refit(self, i: int, now: int) -> None:
        """Train Q of member ``i`` on before a round, but the first: that is the critic's."""
        # Departure D48: between rounds Q may follow the policy; the paper's stays as it was.
        member = self.members[i]
        if now == 0 or not member.config.policy.refit_updates or not self.follows[i]:
            return
        self.refit = self.refit or Refit(member, self.data)
        rows, policy = slice(*self._span("critic", i)), self.source.slice(i, i + 1)
        self.critic.flat[rows] = self.refit(member, self.critic.flat[rows].clone(), policy, now)

    @torch.no_grad()
    def _data_set(self, i: int) -> WeightedSet:
        """Return the data's own actions, each alone at its state, rows drawn by energy."""
        # Departure D41: the first updates weight the data's actions alone, in place of proposals.
        member, p = self.members[i], self.members[i].config.policy
        generator = stream(member.seed, self.stage, "data", device=self.data.device)
        rows = torch.arange(self.data.rows, device=self.data.device)
        if p.data_weight == "return":
            episodes, returns = episode_returns(self.data)
            energy = returns[episodes]
        else:
            rows = support_pool(len(rows), p.pool, generator)
            energy = self._advantage(i, rows, generator)
        weights, beta = tilted(energy, p.data_ess)
        # Departure D49: a share of the rows is drawn evenly, whatever their episodes returned.
        pool = rows[resampled(mixed(weights, p.data_uniform), generator)]
        actions = self.data.actions[pool].unsqueeze(1)
        values = self._values(i, pool, actions)
        probed, limit, moved = self._probe(i, BEFORE_ROUNDS, actions, pool, values)
        even = torch.ones_like(values)
        health = weights_health(values, even, limit - float(probed.mean()), beta, moved)
        return WeightedSet(BEFORE_ROUNDS, pool, actions, even, health, rests=False)

    def _advantage(self, i: int, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Return Q of the data's action less the mean Q of the clone's, at ``rows (P,)``."""
        prior, states = self.prior.slice(i, i + 1), self.data.states
        proposed = support_actions(self.sampler, prior, states, rows, V_ACTIONS, generator)
        taken = self._values(i, rows, self.data.actions[rows].unsqueeze(1)).squeeze(1)
        return taken - self._values(i, rows, proposed).mean(1)

    @torch.no_grad()
    def _renew(self, i: int, now: int) -> WeightedSet:
        """Return the support set of round ``now``, drawn from the policy as the round began."""
        p = self.members[i].config.policy
        # Departure D9: support actions at s alone; the paper's code renews those at s' unused.
        drawn = self._drawn(i, now, self.source, self.data.states, room=int(p.data_action))
        if p.data_action:
            # Departure D17: the paper takes the data's action, too; its code does not.
            drawn.actions[:, -1] = self.data.actions[drawn.pool]
        return self._weighed(i, drawn)

    def _weighed(self, i: int, drawn: SupportSet) -> WeightedSet:
        """Return the support set with the weights that Q gives its actions, and their health."""
        config, now = self.members[i].config, drawn.renewal
        pool, actions = drawn.pool, drawn.actions
        values = self._values(i, pool, actions)
        # A diverged Q ends its own member at its next metrics, not the whole pack.
        sound = torch.where(values.abs() < FINITE, values, 0)
        probed, limit, moved = self._probe(i, now, actions, pool, sound)
        beta = full_beta = support_beta(sound, config, now)
        if config.policy.trust:
            # Departure D22: beta bounded where the policy would leave what the critic knows.
            beta = trusted_beta(probed, full_beta, limit)
        weights = support_weights(sound, self.column([beta]))[0]
        health = weights_health(values, weights, limit - float(probed.mean()), beta, moved)
        return WeightedSet(now, pool, actions, weights, health, rests=beta == 0 < full_beta)

    def _limit(self, name: str) -> float:
        limits = {"loss": FAR * self.data.action_dim, "support_q": FINITE}
        return limits.get(name, super()._limit(name))

    def _values(self, i: int, pool: Tensor, actions: Tensor) -> Tensor:
        """Return Q at every support action, ``(P, M)``."""
        critic, settings = (
            self.critic.slice(*self._span("critic", i)),
            self.members[i].config.critic,
        )
        values = torch.empty(actions.shape[:2], device=actions.device)
        for start, part in chunks(pool, actions.shape[1]):
            rows = slice(start, start + len(part))
            states, proposed = self.data.states[part], actions[rows].float()
            values[rows] = value_of(self.q, critic, states, proposed, settings)
        return values

    def _probe(
        self, i: int, now: int, actions: Tensor, pool: Tensor, values: Tensor
    ) -> tuple[Tensor, float, float]:
        """Hold some of the support set's states against actions of the behaviour there.

        Return Q of the support actions ``(P', M)``, the mean of Q's best of N over the behaviour's
        actions, and how far the policy has drifted.
        """
        member = self.members[i]
        trust = member.config.policy.trust or BEST_OF
        generator = stream(member.seed, self.stage, "probe", now, device=self.data.device)
        chosen = support_pool(len(pool), PROBES, generator)
        rows = pool[chosen]
        prior, states = self.prior.slice(i, i + 1), self.data.states
        first, second = (
            support_actions(self.sampler, prior, states, rows, size, generator)
            for size in (max(trust, BEST_OF), BEST_OF)
        )
        best = self._values(i, rows, first[:, :trust]).amax(-1).mean()
        proposed = actions[chosen, : member.config.policy.support_size].float()
        moved = drift(proposed, first[:, :BEST_OF], second)
        return values[chosen], float(best), float(moved)

    def _draws(self) -> tuple[Tensor, ...]:
        rows, actions, weights = self._draw()
        b, m, a = actions.shape[1:]
        noise, times = self.noise(b * m, a), self.times(b * m)
        return rows, actions, weights, noise, times, torch.stack([s.health for s in self._sets()])

    def _loss_of(self, *draws: Tensor) -> tuple[Tensor, list[Tensor]]:
        rows, actions, weights, noise, times, health = draws
        n, b, m, _ = actions.shape
        flat, at = actions.flatten(1, 2), self._counting(weights)
        states = self.data.states[rows.repeat_interleave(m, 1)[:, at]]
        field = self.sampler.field(self.online.params, states)
        losses = regression_loss(field, flat[:, at], noise[:, at], times[:, at])
        if not isinstance(at, slice):
            losses = torch.zeros_like(times).index_copy(1, at, losses)
        loss = weighted_loss(losses.view(n, b, m), weights)
        loss = loss * self.learning
        return loss, [loss.detach(), *(health.T * self.learning)]

    def _counting(self, weights: Tensor) -> Tensor | slice:
        """Return where weights ``(N, B, m)`` count, as an index of ``B m``; else all of them.

        All on a GPU, where the host would wait for the answer, and in a pack, whose members have
        equally many rows.
        """
        captured = self.program.capture is not None
        if captured or len(self.members) > 1 or weights.device.type != "cpu":
            return slice(None)
        counting = weights.flatten() > NEGLIGIBLE
        return slice(None) if counting.all() else counting.nonzero().squeeze(1)

    def _draw(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return states' rows ``(N, B)``, actions ``(N, B, m, A)`` and weights ``(N, B, m)``."""
        rows, actions, weights = [], [], []
        for member, support in zip(self.members, self._sets(), strict=True):
            g, device = member.generator, self.data.device
            spot = torch.randint(len(support.pool), (self.batch_size,), generator=g, device=device)
            chosen, weight = support.actions[spot].float(), support.weights[spot]
            if support.renewal == BEFORE_ROUNDS:  # one action: as often as the others have some
                chosen = chosen.expand(-1, self.actions, -1)
                weight = (weight / self.actions).expand(-1, self.actions)
            elif self.loss_actions:
                # Departure D18: k actions drawn by weight; same expectation.
                k = draw_by_weight(weight, self.loss_actions, g)
                chosen = chosen.gather(1, k.unsqueeze(-1).expand(-1, -1, chosen.shape[-1]))
                weight = torch.full_like(weight[:, : self.loss_actions], 1 / self.loss_actions)
            rows.append(support.pool[spot])
            actions.append(chosen)
            weights.append(weight)
        return torch.stack(rows), torch.stack(actions), torch.stack(weights)

    def _sets(self) -> list[WeightedSet]:
        return [support for support in self.support if support is not None]

    def _after(self) -> None:
        self.ema.flat.lerp_(self.online.flat, self.ema_rate)


def weights_health(
    values: Tensor, weights: Tensor, room: float, beta: float, moved: float
) -> Tensor:
    """Return `HEALTH` of a support set with Q ``(P, M)`` and weights ``(P, M)``."""
    spread = values.std(-1, correction=int(values.shape[-1] > 1)).mean()
    return torch.stack(
        [
            effective_sample_size(weights).mean(),
            entropy(weights).mean(),
            weights.amax(-1).mean(),
            values.mean(),
            spread,
            *torch.tensor([room, beta, moved], device=values.device),
        ]
    )
