"""Which hyper-parameter went with good trials: a rank association, named for what it is.

It is not a causal effect and no decomposition of variance: each parameter is looked at alone, and
two that were moved together share what they show. What chance alone would give stands beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qipo_ray.leaderboard.trial_results import TrialResult, Value
from qipo_ray.study.trial import BROKEN

SHUFFLES = 500
MOST_GROUPS = 4  # a number with more values is cut at its quartiles


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
    """Return the association of every parameter with two values or more, the strongest first.

    Trials are ranked as the search ranks them: rungs reached, then value; broken ones are last.
    """
    found = []
    for key in dict.fromkeys(key for trial in trials for key in trial.params):
        some = [trial for trial in trials if key in trial.params]
        groups = _groups([trial.params[key] for trial in some])
        if 1 < groups.max() + 1 < len(some):
            order = ranks(some)
            shuffled = generator.permuted(np.tile(order, (SHUFFLES, 1)), axis=1)
            share = float(_between(order[None], groups)[0])
            chance = float(np.quantile(_between(shuffled, groups), 0.95))
            found.append(Association(key, share, chance, len(some)))
    return sorted(found, key=lambda one: -one.share)


def ranks(trials: Sequence[TrialResult]) -> np.ndarray:
    """Return the rank of each trial (T,), the best highest; equal ones share their mean rank."""
    keys = [
        (-1.0, 0.0) if trial.state in BROKEN or trial.value is None else (trial.rung, trial.value)
        for trial in trials
    ]
    place = {key: i for i, key in enumerate(sorted(set(keys)))}
    which = np.array([place[key] for key in keys])
    counts = np.bincount(which)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[which])


def _groups(values: Sequence[Value]) -> np.ndarray:
    """Return the group of each value (T,), from 0: equal values, or quarters of many numbers."""
    distinct = sorted(set(values), key=lambda value: (str(type(value)), value))
    numeric = all(isinstance(v, int | float) and not isinstance(v, bool) for v in distinct)
    if numeric and len(distinct) > MOST_GROUPS:
        numbers = np.array(values, dtype=float)
        edges = np.quantile(numbers, [0.25, 0.5, 0.75])
        return np.unique(np.searchsorted(edges, numbers, side="left"), return_inverse=True)[1]
    return np.array([distinct.index(value) for value in values])


def _between(orders: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return the share of variance (K,) between groups (T,) of each order (K, T) of ranks."""
    member = np.eye(groups.max() + 1)[groups]  # (T, G)
    means = orders @ member / member.sum(0)
    overall = orders.mean(1, keepdims=True)
    total = ((orders - overall) ** 2).sum(1)
    between = ((means - overall) ** 2 * member.sum(0)).sum(1)
    return np.asarray(np.divide(between, total, out=np.zeros_like(total), where=total > 0))
