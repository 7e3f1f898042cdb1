from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from qipo_ray.leaderboard.statistics import bootstrap
from qipo_ray.leaderboard.statistics.bootstrap import (
    Estimate,
    Interval,
    estimate,
    estimates_of_all,
)
from qipo_ray.leaderboard.statistics.point_estimates import (
    Scores,
    Statistic,
    iqm,
    mean_of,
    median_of,
)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def normal(seed: int = 1, tasks: int = 4, seeds: int = 6) -> dict[str, np.ndarray]:
    draw = generator(seed)
    return {f"t{i}": draw.normal(10.0 * i, 5, seeds) for i in range(tasks)}


def interval(scores: Scores, statistic: Statistic, *args: Any, **options: Any) -> Interval:
    """The interval of an estimate that has one."""
    result = estimate(scores, statistic, *args, **options).interval
    assert result is not None
    return result


def test_two_seeds_give_three_means_and_their_exact_quantiles() -> None:
    # Redrawn, (0, 100) has mean 0, 50, 100 with chances 1/4, 1/2, 1/4.
    assert interval({"a": np.array([0.0, 100.0])}, mean_of, generator()) == Interval(0.0, 100.0)


def test_a_task_is_redrawn_from_its_own_scores() -> None:
    scores = {"b": np.array([1.0, 2.0]), "a": np.array([30.0, 40.0, 50.0])}
    drawn = bootstrap.resampled(scores, generator(), 500)
    assert {task: array.shape for task, array in drawn.items()} == {"a": (500, 3), "b": (500, 2)}
    for task, array in drawn.items():
        assert set(array.ravel()) == set(scores[task])


def test_seeds_stay_within_their_task() -> None:
    constant = {"a": np.full(5, 10.0), "b": np.full(5, 90.0)}
    result = interval(constant, mean_of, generator())
    assert (result.low, result.high) == (50.0, 50.0)


def test_the_spread_of_the_mean_is_the_textbook_one() -> None:
    scores = normal(tasks=3, seeds=40)
    # Variance of the mean of a redrawn sample: population variance / n, over 3 tasks.
    error = math.sqrt(sum(values.var() / values.size for values in scores.values())) / 3
    result = interval(scores, mean_of, generator(), resamples=40_000)
    centre = float(mean_of(scores))
    assert result.low == pytest.approx(centre - 1.96 * error, abs=0.05 * error)
    assert result.high == pytest.approx(centre + 1.96 * error, abs=0.05 * error)


def test_unequal_seeds() -> None:
    scores = {"a": np.array([5.0]), "b": np.array([0.0, 10.0, 20.0])}
    result = estimate(scores, mean_of, generator())
    assert result.value == 7.5
    assert result.interval is not None
    assert result.interval.low == 2.5  # all three draws of b are 0 in 1 of 27 resamples
    assert result.interval.high == 12.5


def test_a_single_seed_everywhere_has_no_interval() -> None:
    scores = {"a": np.array([5.0]), "b": np.array([15.0])}
    assert estimate(scores, mean_of, generator()) == Estimate(10.0, None)


def test_equal_generators_give_equal_intervals_in_any_order_of_the_tasks() -> None:
    scores = normal()
    turned = dict(reversed(scores.items()))
    first = interval(scores, iqm, generator(3))
    assert first == interval(turned, iqm, generator(3))
    assert first != interval(scores, iqm, generator(4))


def test_several_statistics_share_their_resamples() -> None:
    scores = normal()
    (both,) = estimates_of_all([scores], {"mean": mean_of, "iqm": iqm}, lambda: generator(3))
    assert list(both) == ["mean", "iqm"]
    assert both["mean"] == estimate(scores, mean_of, generator(3))
    assert both["iqm"] == estimate(scores, iqm, generator(3))


@pytest.mark.parametrize("block", [200_000, 5_000, 100])
def test_many_together_are_estimated_as_each_alone(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    """Whatever else stands beside them, and however many fit into a block."""
    monkeypatch.setattr(bootstrap, "BLOCK", block)
    all_scores = [
        normal(seed, tasks, seeds) for seed, tasks, seeds in ((1, 4, 6), (2, 4, 6), (3, 1, 2))
    ]
    all_scores += [
        {"z": np.array([7.0])},
        {**normal(4, 2, 3), "a": np.array([1.0, 2.0])},
        normal(5),
    ]
    chosen = {"mean": mean_of, "iqm": iqm, "median": median_of}
    together = estimates_of_all(all_scores, chosen, generator, resamples=400)
    for scores, estimates in zip(all_scores, together, strict=True):
        for name, statistic in chosen.items():
            assert estimates[name] == estimate(scores, statistic, generator(), resamples=400)
    assert together[3]["iqm"] == Estimate(7.0, None)


def test_many_with_a_score_that_is_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="t0: a score is not finite"):
        bad = {"t0": np.array([1.0, math.nan])}
        estimates_of_all([normal(), bad], {"mean": mean_of}, generator)


@pytest.mark.parametrize("count", [1, 2, 3, 40, 2000])
@pytest.mark.parametrize("level", [0.01, 0.5, 0.95, 0.999])
def test_the_middle_is_that_of_linear_quantiles(count: int, level: float) -> None:
    values = generator().normal(size=(3, 2, count))
    ends = [(1 - level) / 2, (1 + level) / 2]
    expected = np.quantile(values, ends, axis=-1)
    assert np.stack(bootstrap.central_quantiles(values, level)) == pytest.approx(
        expected, abs=1e-12
    )


@pytest.mark.slow
def test_blocks_bound_the_memory_and_change_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = normal()
    once = interval(scores, median_of, generator(), resamples=20_000)
    shapes = []

    def counting(resamples: Scores) -> np.ndarray:
        shapes.append(resamples["000000000"].shape)
        return median_of(resamples)

    monkeypatch.setattr(bootstrap, "BLOCK", 240)  # ten resamples of 24 runs
    parts = interval(scores, counting, generator(), resamples=20_005)
    assert shapes == [(1, 6), *[(1, 10, 6)] * 2000, (1, 5, 6)]
    width = once.high - once.low
    assert (parts.low, parts.high) == pytest.approx((once.low, once.high), abs=0.03 * width)


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "share"), [(3, 0.75), (10, 0.90)])
def test_coverage_is_what_the_docstring_says(seeds: int, share: float) -> None:
    draw = generator(8)
    hits = 0
    for _ in range(1500):
        result = interval({"a": draw.normal(0, 1, seeds)}, mean_of, draw, 300)
        hits += result.low <= 0 <= result.high
    assert hits / 1500 == pytest.approx(share, abs=0.03)


def test_no_resamples_are_refused() -> None:
    with pytest.raises(ValueError, match="resamples: expected at least 1, got 0"):
        estimate(normal(), mean_of, generator(), resamples=0)
