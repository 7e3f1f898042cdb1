"""A bandit over finished policies: what a few online episodes of each would have chosen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

REPEATS = 200  # bandits, each on episodes drawn anew


def bandit_regrets(
    episodes: Sequence[Sequence[float]], budgets: Sequence[int], generator: np.random.Generator
) -> list[float]:
    """Return the expected regret of the policy that UCB1 holds best after each budget.

    ``episodes`` are the recorded scores of each policy's episodes, from which the bandit draws
    with replacement; budgets rise, and count them. Regret is the highest mean of a policy less
    that of the chosen one. UCB1 is that of Auer and others, 2002, on scores scaled to [0, 1]; each
    policy is tried once before any is again.
    """
    means = np.array([np.mean(scores) for scores in episodes])
    low = min(map(min, episodes))
    scale = max(max(map(max, episodes)) - low, 1e-12)
    counts, sums = np.zeros((2, REPEATS, len(episodes)))
    at, regrets = np.arange(REPEATS), {}
    for step in range(1, max(budgets) + 1):
        if step <= len(episodes):
            arms = np.full(REPEATS, step - 1)
        else:
            bonus = np.sqrt(2 * np.log(step) / counts)
            arms = (sums / counts + bonus).argmax(axis=1)
        shares = generator.random(REPEATS)
        drawn = [
            episodes[arm][int(share * len(episodes[arm]))]
            for arm, share in zip(arms, shares, strict=True)
        ]
        counts[at, arms] += 1
        sums[at, arms] += (np.array(drawn) - low) / scale
        if step in budgets:
            held = np.where(counts > 0, sums / np.maximum(counts, 1), -np.inf).argmax(axis=1)
            regrets[step] = max(0.0, float(means.max() - means[held].mean()))
    return [regrets[budget] for budget in budgets]
