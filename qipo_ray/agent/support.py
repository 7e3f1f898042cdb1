"""Support sets: the actions that a policy proposes at the data's states, and their weights.

A set belongs to one member and holds P states by row number, never the states themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

import torch
from torch import Tensor

from qipo_ray.agent.graphed import GraphedPack
from qipo_ray.agent.pack import stream
from qipo_ray.agent.sampling import ActingNetwork, ActionSampler
from qipo_ray.agent.tensors import Tensors
from qipo_ray.config import Config, Critic, Policy
from qipo_ray.config.baselines import QGPO
from qipo_ray.config.run_methods import settings_of
from qipo_ray.flow import scale_for_size
from qipo_ray.flow.weighting import BISECTIONS
from qipo_ray.nets.stack import Params, Stack

CHUNK = {"cpu": 4096, "cuda": 1 << 18}  # rows of one batch through the policy; part of the draws
FINITE = 1e20  # beyond it Q has diverged
FITTED = 4096  # states that beta is fitted on
LEAST_TILT = 0.1  # spreads of Q times beta; below it 99 % of the support actions count as equal
MOST_SPREAD = 50.0  # spreads of Q times beta: weights are one-hot well before


def support_dtype(config: Config) -> torch.dtype:
    """Return the precision in which support actions are held."""
    # Departure D11: half precision in memory.
    return {"float32": torch.float32, "float16": torch.float16}[config.compute.support]


@dataclass(frozen=True)
class SupportSet:
    """The support actions of one renewal."""

    renewal: int
    pool: Tensor  # (P,), rows of the data
    actions: Tensor  # (P, M, A), in single or half precision


@dataclass(frozen=True)
class WeightedSet(SupportSet):
    """Support actions with the weights that Q gives them."""

    weights: Tensor  # (P, M), sum to 1 over M
    health: Tensor  # one number a metric of the weights
    rests: bool  # the policy is beyond what the critic knows: nothing is learned from this set


def support_pool(rows: int, pool: int, generator: torch.Generator) -> Tensor:
    """Return the rows that get support actions, ``(P,)``: all, or ``pool`` without repeat."""
    if pool == 0 or pool >= rows:
        return torch.arange(rows, device=generator.device)
    # Departure D10: a pool smaller than the data; the paper renews for all states.
    return torch.randperm(rows, generator=generator, device=generator.device)[:pool]


def chunks(rows: Tensor, size: int) -> Iterator[tuple[int, Tensor]]:
    """Yield (place, part) of row numbers ``(P,)``, so that a part with ``size`` actions fits."""
    part = max(1, CHUNK[rows.device.type] // size)
    for start in range(0, len(rows), part):
        yield start, rows[start : start + part]


@torch.no_grad()
def support_actions(
    sampler: ActingNetwork,
    params: Params,
    observations: Tensor,
    pool: Tensor,
    size: int,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
    room: int = 0,
) -> Tensor:
    """Return ``size`` actions at each of the rows ``pool (P,)``: ``(P, size + room, A)``.

    ``observations`` is the data's ``(D, S)``, ``params`` the weights of one member. ``room``
    leaves space for more actions at the end. States are repeated within one batch at a time.
    """
    action_dim, device = sampler.action_dim, observations.device
    actions = torch.empty(len(pool), size + room, action_dim, dtype=dtype, device=device)
    for start, part in chunks(pool, size):
        states = observations[part].unsqueeze(0)
        if not isinstance(sampler, ActionSampler):  # it computes what is a state's own once
            states = states.repeat_interleave(size, 1)
        noise = torch.randn(
            1, len(part) * size, sampler.noise_dim, generator=generator, device=device
        )
        drawn = sampler(params, states, noise).view(len(part), size, action_dim)
        actions[start : start + len(part), :size] = drawn
    return actions


SetT = TypeVar("SetT", bound=SupportSet)


class SupportPack(GraphedPack, Generic[SetT]):
    """Members that each hold one support set, None before it is drawn."""

    def __init__(self, config: Config, data: Tensors) -> None:
        super().__init__(config, data)
        self.sampler = ActionSampler(config, data.state_dim, data.action_dim)
        self.support: list[SetT | None] = []

    def pending_sets(self) -> int:
        """Return how many members have a support set still to come."""
        return sum(support is None for support in self.support)

    def _forget(self, i: int) -> None:
        del self.support[i]

    def _changed(self) -> None:
        self.support += [None] * (len(self.members) - len(self.support))

    def _pool(self, i: int, size: int, generator: torch.Generator) -> Tensor:
        """Return the rows of the data that get support actions of member ``i``, ``(P,)``."""
        return support_pool(self.data.rows, size, generator)

    def _drawn(
        self, i: int, renewal: int, source: Stack, states: Tensor, room: int = 0
    ) -> SupportSet:
        """Return actions of member ``i`` of ``source`` at a pool of ``states (D, S)``."""
        member, device = self.members[i], self.data.device
        settings = cast(Critic | Policy | QGPO, settings_of(member.config, self.stage))
        generator = stream(member.seed, self.stage, "support", renewal, device=device)
        pool = self._pool(i, settings.pool, generator)
        params, dtype = source.slice(i, i + 1), support_dtype(member.config)
        actions = support_actions(
            self.sampler, params, states, pool, settings.support_size, generator, dtype, room
        )
        return SupportSet(renewal, pool, actions)


def support_beta(values: Tensor, config: Config, renewal: int) -> float:
    """Return the guidance scale of a round for ``values`` of Q ``(P, M)``.

    ``beta * beta_growth ** round``; or, with ``target_ess``, the scale at which the effective
    sample size of the weights is that share of M on average over states, by bisection. 0 where Q
    does not differ between actions: there is nothing to select by.
    """
    p = config.policy
    if not p.target_ess:
        # Departure D20: beta may change by a factor each round.
        return p.beta * p.beta_growth**renewal
    # Departure D21: beta may follow from a wanted effective sample size.
    q = values[:: max(1, len(values) // FITTED)].double().cpu()
    spread = float(q.std(-1).mean())
    if spread <= 1e-6 * float(q.abs().max()):
        return 0.0
    q = (q - q.amax(-1, keepdim=True)) / spread
    target = max(1.0, p.target_ess * values.shape[-1])
    return scale_for_size(q, target, MOST_SPREAD) / spread


def trusted_beta(values: Tensor, beta: float, limit: float) -> float:
    """Return the largest scale up to ``beta`` that keeps Q within what the critic knows.

    That is where the weighted mean of Q over support actions, ``values`` ``(P, M)``, stays below
    ``limit``, the mean of Q's best of N over actions of the behaviour at the same states: a critic
    was fitted to those, and a policy whose average looks better to it follows its errors. 0 where
    the policy is there already, or so near that the weights left to it are next to equal: with
    those it would clone itself for a round.
    """
    q = values.double().cpu()

    def level(scale: float) -> float:
        return float((torch.softmax(scale * q, -1) * q).sum(-1).mean())

    if level(beta) <= limit:
        return beta
    low, high = 0.0, beta
    if level(low) >= limit:
        return low
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if level(middle) <= limit else (low, middle)
    return low if low * float(q.std(-1).mean()) >= LEAST_TILT else 0.0


def drift(proposed: Tensor, behaviour: Tensor, again: Tensor) -> Tensor:
    """Return how far a policy has moved from the behaviour, in units of the behaviour's own gaps.

    All are actions ``(P, M, A)`` at the same states, the last two drawn from the behaviour: the
    mean distance from an action to the nearest one of ``behaviour``, over the same for ``again``.
    1 for the behaviour itself.
    """

    def gap(actions: Tensor) -> Tensor:
        exact = "donot_use_mm_for_euclid_dist"
        return torch.cdist(actions, behaviour, compute_mode=exact).amin(-1).mean()

    return gap(proposed) / gap(again).clamp_min(1e-6)
