"""Fitted Q evaluation: what fixed policies are worth by the data alone (Le and others, 2019).

For each policy two networks learn its own Q: the target at s' is their Q of the action that the
policy takes there, drawn once for every next state. They begin at the run's critic, as it ended on
returns-to-go where that is kept, or, without one, at the mean return. Nothing pulls them back
where the data say nothing: a policy that acts there is believed too much.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from qipo_ray.agent.ensemble import twin_q
from qipo_ray.agent.judge import loaded
from qipo_ray.agent.pack import Diverged, Member, Pack, State, stream
from qipo_ray.agent.support import support_pool
from qipo_ray.agent.tensors import Tensors
from qipo_ray.config import Config

POOL = 50_000  # transitions that are learned from, at most
STARTS = 2048  # of episodes, at most
DRAWS = 4  # actions of the policy at each
BEYOND = 2.0  # times the largest return that the rewards allow: there Q has diverged

Act = Callable[[Tensor, Generator], Tensor]  # normalised states (B, S) -> actions (B, A)


@dataclass(frozen=True)
class FixedPolicy:
    """A policy to be judged; its critic is that of its run, None where it has none."""

    config: Config
    seed: int
    act: Act
    critic: State | None


@dataclass(frozen=True)
class Worth:
    """The mean Q of a policy's own actions where episodes start, in the unit of the data."""

    mean: float
    std: float  # over episodes, of the population
    episodes: int


class FittedQPack(Pack):
    """Members that learn the Q of a policy each, from transitions and next actions of its own."""

    stage = "fqe"
    metric_names = ("loss",)

    def __init__(self, config: Config, data: Tensors) -> None:
        super().__init__(config, data)
        self.q = twin_q(config, data.state_dim, data.action_dim)
        self.online = self._stack("online", self.q.shapes, self.q.rows, trainable=True)
        self.target = self._stack("target", self.q.shapes, self.q.rows)
        self.pools: list[Tensor] = []  # (P,), rows of the data
        self.following: list[Tensor] = []  # (P, A), what the policy does at their next states

    def follow(self, policy: FixedPolicy) -> None:
        """Add a member for a policy."""
        generator = stream(policy.seed, self.stage, "pool")
        pool = support_pool(self.data.rows, POOL, generator).to(self.data.device)
        actions = policy.act(self.data.next_states[pool].cpu(), generator)
        self.pools.append(pool)
        self.following.append(actions.to(self.data.device))
        upstream = {} if policy.critic is None else {"critic": policy.critic}
        self.admit(Member(policy.config, policy.seed), upstream, None)

    def _start(self, member: Member, upstream: Mapping[str, State]) -> dict[str, Tensor]:
        if "critic" in upstream:
            weights = upstream["critic"]["weights"]
            rows = weights.get("returns", weights["online"])
        else:
            generator = stream(member.seed, self.stage, "weights")
            twins = [self.q.fresh(generator) for _ in range(self.q.rows)]
            returns = self.data.returns[self.data.with_returns]
            for twin in twins:  # no nearer to any policy than the data's own returns
                twin["out.bias"].fill_(returns.mean().item() if len(returns) else 0.0)
            rows = torch.cat([self.online.pack_row(twin) for twin in twins])
        return {"online": rows, "target": rows.clone()}

    def _rate(self, config: Config) -> float:
        return config.critic.learning_rate

    def _changed(self) -> None:
        rates = [member.config.critic.polyak for member in self.members]
        self.polyak = self.column(rates).repeat_interleave(self.q.rows, 0)

    def _losses(self) -> tuple[Tensor, list[Tensor]]:
        """Return each member's mean squared error; every network has targets of its own."""
        settings = self.members[0].config.critic
        spots = [
            torch.randint(
                len(pool), (settings.batch_size,), generator=m.generator, device=pool.device
            )
            for pool, m in zip(self.pools, self.members, strict=True)
        ]
        rows = torch.stack([pool[spot] for pool, spot in zip(self.pools, spots, strict=True)])
        drawn = zip(self.following, spots, strict=True)
        following = torch.stack([actions[spot] for actions, spot in drawn]).unsqueeze(2)
        with torch.no_grad():
            q = self.q(self.target.params, self.data.next_states[rows], following).squeeze(-1)
            going_on = settings.discount * (1 - self.data.terminals[rows]).unsqueeze(1)
            targets = self.data.rewards[rows].unsqueeze(1) + going_on * q
        actions = self.data.actions[rows].unsqueeze(2)
        q = self.q(self.online.params, self.data.states[rows], actions).squeeze(-1)
        loss = (q - targets).square().mean((1, 2))
        return loss, [loss.detach()]

    def _after(self) -> None:
        self.target.flat.lerp_(self.online.flat, self.polyak)

    def worth(self, i: int, policy: FixedPolicy) -> Worth | None:
        """Return what policy ``i`` is worth; None where its Q has diverged."""
        try:
            self.check(i)
        except Diverged:
            return None
        generator = stream(policy.seed, self.stage, "starts")
        starts = episode_starts(self.data)
        states = self.data.states[starts[support_pool(len(starts), STARTS, generator)]].cpu()
        actions = policy.act(states.repeat_interleave(DRAWS, 0), generator)
        rows = self.online.flat[slice(*self._span("online", i))].detach().cpu()
        params, proposed = loaded(self.q.shapes, rows).params, actions.unflatten(0, (-1, DRAWS))
        with torch.no_grad():
            q = self.q(params, states.unsqueeze(0), proposed.unsqueeze(0))[0]
        values = q.double().mean((0, 2))  # of a start
        limit = BEYOND * self.data.largest_return(policy.config.critic.discount)
        if not values.abs().max() < limit:
            return None
        values = values / self.data.reward_scale
        return Worth(values.mean().item(), values.std(correction=0).item(), len(values))


def episode_starts(data: Tensors) -> Tensor:
    """Return the first row of each episode of the data, on the CPU, ``(E,)``."""
    episodes = data.episodes.cpu()
    first = torch.ones(len(episodes), dtype=torch.bool)
    first[1:] = episodes[1:] != episodes[:-1]
    return first.nonzero().squeeze(1)


def fitted_q(policies: Sequence[FixedPolicy], data: Tensors, updates: int) -> list[Worth | None]:
    """Return what policies of one shape of critic are worth, learned side by side in one pack.

    None where Q has diverged. Each draws from streams of its own seed: the same again, whoever is
    beside it, and no other stream moves.
    """
    pack = FittedQPack(policies[0].config, data)
    for policy in policies:
        pack.follow(policy)
    for _ in range(updates):
        pack.update()
    return [pack.worth(i, policy) for i, policy in enumerate(policies)]
