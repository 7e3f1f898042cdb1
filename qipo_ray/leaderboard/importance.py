"""Which hyper-parameter went with good trials: a rank association, named for what it is.

It is not a causal effect and no decomposition of variance: each parameter is looked at alone, and
two that were moved together share what they show. What chance alone would give stands beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qipo_ray.leaderboard.statistics.ranks import mean_ranks
from qipo_ray.leaderboard.trial_results import TrialResult, Value, is_number
from qipo_ray.study.trial import BROKEN

SHUFFLES = 500
MAX_GROUPS = 4  # a number with more values is cut at its quartiles


@dataclass(frozen=True)
class Association:
    """How much of the trials' order goes with one parameter."""

    key: str  # dotted name of the parameter
    share: float  # of the variance of the ranks that lies between groups of equal value, 0 to 1
    chance: float  # what 95 % of random orders stay below
    trials: int  # that searched it


def associations(
    trials: Sequence[TrialResult], generator: np.random.Generator
) -> list[Association]:
    """Return the association of every parameter with two values or more, the strongest first."""
    results = []
    for key in dict.fromkeys(key for trial in trials for key in trial.params):
        searched = [trial for trial in trials if key in trial.params]
        groups = _groups([trial.params[key] for trial in searched])
        if 1 < groups.max() + 1 < len(searched):
            ranks = trial_ranks(searched)
            shuffled = generator.permuted(np.tile(ranks, (SHUFFLES, 1)), axis=1)
            share = float(_share_between(ranks[None], groups)[0])
            chance = float(np.quantile(_share_between(shuffled, groups), 0.95))
            results.append(Association(key, share, chance, len(searched)))
    return sorted(results, key=lambda association: -association.share)


def trial_ranks(trials: Sequence[TrialResult]) -> np.ndarray:
    """Return the rank of each trial (T,), the best highest; equal ones share their mean rank.

    They are ranked as the search ranks them: rungs reached, then value; broken ones are last.
    """
    return mean_ranks(
        [
            (-1.0, 0.0)
            if trial.state in BROKEN or trial.value is None
            else (trial.rung, trial.value)
            for trial in trials
        ]
    )


def _groups(values: Sequence[Value]) -> np.ndarray:
    """Return the group of each value (T,), from 0: equal values, or quarters of many numbers."""
    distinct = sorted(set(values), key=lambda value: (str(type(value)), value))
    if len(distinct) > MAX_GROUPS and all(map(is_number, distinct)):
        numbers = np.array(values, dtype=float)
        edges = np.quantile(numbers, [0.25, 0.5, 0.75])
        return np.unique(np.searchsorted(edges, numbers, side="left"), return_inverse=True)[1]
    return np.array([distinct.index(value) for value in values])


def _share_between(ranks: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return the share of variance (K,) between groups (T,) of each order (K, T) of ranks."""
    member = np.eye(groups.max() + 1)[groups]  # (T, G)
    means = ranks @ member / member.sum(0)
    overall = ranks.mean(1, keepdims=True)
    total = ((ranks - overall) ** 2).sum(1)
    between = ((means - overall) ** 2 * member.sum(0)).sum(1)
    return np.asarray(np.divide(between, total, out=np.zeros_like(total), where=total > 0))
