"""Two configurations side by side: how surely one beats the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from qipo_ray.leaderboard.statistics.bootstrap import (
    RESAMPLES,
    Estimate,
    Interval,
    bounds,
    estimate,
    resampled,
)
from qipo_ray.leaderboard.statistics.point_estimates import (
    Floats,
    Scores,
    mean_last,
    mean_of,
    task_arrays,
)

Runs = Mapping[str, Mapping[int, float]]  # task -> seed -> normalised score
EXACT_PAIRS = 12  # up to 2^12 sign patterns all are tried
SIGN_DRAWS = 10_000


@dataclass(frozen=True)
class PairedTest:
    """Whether one configuration beats another on the seeds that both have."""

    difference: Estimate  # first minus second: mean over tasks of the mean over seeds
    p_value: float  # two-sided; with n pairs never below 2 / 2^n
    pairs: int


def probability_of_improvement(
    a: Scores, b: Scores, generator: np.random.Generator, resamples: int = RESAMPLES
) -> Estimate:
    """Return how probably a run of ``a`` beats one of ``b``, averaged over their common tasks.

    A tie counts half. Raises ValueError where they share no task.
    """
    common = sorted(set(a) & set(b))
    a, b = ({task: scores[task] for task in common} for scores in (a, b))
    value = float(_improvement(a, b))
    if not any(array.size > 1 for scores in (a, b) for array in task_arrays(scores)):
        return Estimate(value, None)

    def draw(number: int) -> Floats:
        return _improvement(*(resampled(scores, generator, number) for scores in (a, b)))

    width = sum(a[task].size * b[task].size for task in common)
    low, high = bounds(draw, width, resamples)
    return Estimate(value, Interval(float(low), float(high)))


def paired_test(
    a: Runs, b: Runs, generator: np.random.Generator, resamples: int = RESAMPLES
) -> PairedTest:
    """Return the sign-flip permutation test of ``a`` against ``b`` on common tasks and seeds.

    If neither is better, each pair's difference is as likely to have the other sign. All sign
    patterns are tried for up to 12 pairs, random ones beyond. Raises ValueError without a pair.
    """
    differences = _differences(a, b)
    difference = estimate(differences, mean_of, generator, resamples)
    p_value = _p_value(differences, generator)
    return PairedTest(difference, p_value, sum(array.size for array in task_arrays(differences)))


def sign_flip_p(a: Runs, b: Runs, generator: np.random.Generator) -> float:
    """Return the p value of ``paired_test`` alone."""
    return _p_value(_differences(a, b), generator)


def _differences(a: Runs, b: Runs) -> dict[str, Floats]:
    """Return first minus second by task, for the seeds that both have."""
    return {
        task: np.array([a[task][seed] - b[task][seed] for seed in sorted(seeds)])
        for task in sorted(set(a) & set(b))
        if (seeds := set(a[task]) & set(b[task]))
    }


def _p_value(differences: Mapping[str, Floats], generator: np.random.Generator) -> float:
    shares = np.concatenate([array / array.size for array in task_arrays(differences)])
    exact = shares.size <= EXACT_PAIRS
    signs = _all_signs(shares.size) if exact else _random_signs(shares.size, generator)
    sums = np.abs(signs @ shares)
    reached = int((sums >= abs(shares.sum()) - 1e-12 * np.abs(shares).sum()).sum())
    # Drawn patterns miss the observed one, which is as probable as any: it counts once more.
    return reached / len(signs) if exact else (reached + 1) / (len(signs) + 1)


def _improvement(a: Scores, b: Scores) -> Floats:
    """Return the mean over tasks of P(x > y) + P(x = y) / 2."""
    per_task: list[Floats] = [
        np.sign(x[..., :, None] - y[..., None, :]).mean(axis=(-2, -1))
        for x, y in zip(task_arrays(a), task_arrays(b), strict=True)
    ]
    return 0.5 + 0.5 * mean_last(np.stack(per_task, axis=-1))


def _all_signs(pairs: int) -> Floats:
    """Return every pattern of signs, ``(2^pairs, pairs)``."""
    return np.where((np.arange(2**pairs)[:, None] >> np.arange(pairs)) & 1, 1.0, -1.0)


def _random_signs(pairs: int, generator: np.random.Generator) -> Floats:
    """Return random patterns of signs, ``(SIGN_DRAWS, pairs)``."""
    return np.where(generator.integers(0, 2, (SIGN_DRAWS, pairs), dtype=np.int8), 1.0, -1.0)
