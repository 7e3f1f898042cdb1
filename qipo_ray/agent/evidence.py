"""Evidence on held-out episodes: whether actions that Q prefers were followed by higher returns.

A critic that follows noise ranks the actions that it was trained on as well as a good one. On
episodes that it never saw, only a good one predicts how far the return of the action that was
taken lies above what the state is worth: the slope of ``G - V`` on ``Q - V`` is 1 for the true Q
of the behaviour and 0 for chance, where V is the mean of Q over actions of the behaviour. So the
Q that is asked is the behaviour's: a critic that went on from returns to its own targets is asked
as it was before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from qipo_ray.agent.judge import Judge, proposals
from qipo_ray.agent.pack import State, stream
from qipo_ray.agent.sampling import cloned_weights
from qipo_ray.agent.support import support_pool
from qipo_ray.agent.tensors import Tensors
from qipo_ray.config import Config
from qipo_ray.config.run_methods import goes_on_from_returns

ROWS = 4096  # held-out rows at most
ACTIONS = 8  # of the behaviour at each, whose mean Q is V
LEAST_EPISODES = 5  # held out; with fewer the error of the slope says nothing
ERRORS = 2  # standard errors that a slope is lowered by


@dataclass(frozen=True)
class Evidence:
    """The held-out slope of ``G - V`` on ``Q - V``; nan where too little is held out."""

    episodes: int
    rows: int
    slope: float
    error: float  # standard error of the slope, over episodes
    correlation: float

    @property
    def sure(self) -> float:
        """The slope less two standard errors: what can be relied on; -inf where it is unknown."""
        lowered = self.slope - ERRORS * self.error
        return lowered if math.isfinite(lowered) else -math.inf


def held_out(data: Tensors, share: float, seed: int) -> Tensor:
    """Return which rows belong to the ``share`` of episodes that Q is not trained on, ``(D,)``.

    The same for the same data, share and seed. At least one episode is left out; none where no
    row with a known return would be left to train on.
    """
    numbers = data.episodes.cpu().long()
    episodes = numbers.unique()
    count = min(max(1, round(share * len(episodes))), len(episodes) - 1)
    order = torch.randperm(len(episodes), generator=stream(seed, "critic", "held-out"))
    chosen = torch.zeros(int(numbers.max()) + 1, dtype=torch.bool)
    chosen[episodes[order[:count]]] = True
    outside = chosen[numbers].to(data.device)
    return outside if (~outside[data.with_returns]).any() else torch.zeros_like(outside)


def evidence(
    config: Config, data: Tensors, behaviour: State, critic: State, seed: int
) -> Evidence:
    """Return the evidence for a critic that was trained without ``critic.held_out``.

    The same again for the same states and seed. Rows are those with a known return-to-go.
    """
    outside = held_out(data, config.critic.held_out, seed)
    rows = data.with_returns[outside[data.with_returns]].cpu()
    generator = stream(seed, "evidence")
    rows = rows[support_pool(len(rows), ROWS, generator)].to(data.device)
    episodes = data.episodes[rows].cpu().long()
    if len(episodes.unique()) < LEAST_EPISODES:
        return Evidence(len(episodes.unique()), len(rows), math.nan, math.nan, math.nan)
    states, taken = data.states[rows].cpu(), data.actions[rows].cpu()
    prior = cloned_weights(config, behaviour)
    proposed = proposals(config, prior, data, rows, ACTIONS, generator)
    judge = Judge(config, _before_bootstrap(config, critic))
    worth = judge.value(states, proposed).double().mean(1)
    preferred = judge.value(states, taken.unsqueeze(1)).squeeze(1).double() - worth
    gained = data.returns[rows].cpu().double() - worth
    return regression(preferred, gained, episodes)


def _before_bootstrap(config: Config, critic: State) -> State:
    """Return the critic as it ended on returns-to-go, where it went on from them."""
    if not goes_on_from_returns(config):
        return critic
    return {**critic, "weights": {"online": critic["weights"]["returns"]}}


def regression(x: Tensor, y: Tensor, groups: Tensor) -> Evidence:
    """Return the slope of ``y (B,)`` on ``x (B,)``, its error by independent ``groups (B,)``.

    Least squares with an intercept; the error is the cluster-robust one (Liang and Zeger, 1986):
    rows of one episode share their luck, so that not rows but episodes are counted.
    """
    x, y = x - x.mean(), y - y.mean()
    squares = x @ x
    slope = x @ y / squares
    numbers, place = groups.unique(return_inverse=True)
    scores = torch.zeros(len(numbers), dtype=x.dtype).index_add_(0, place, x * (y - slope * x))
    inflation = len(numbers) / (len(numbers) - 1)
    error = (inflation * scores.square().sum()).sqrt() / squares
    correlation = x @ y / (squares * (y @ y)).sqrt()
    return Evidence(len(numbers), len(x), slope.item(), error.item(), correlation.item())
