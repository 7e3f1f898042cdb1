from __future__ import annotations

import math

import numpy as np
import pytest

from qipo_ray.leaderboard.statistics import (
    Estimate,
    Interval,
    estimate,
    estimates,
    iqm,
    mean_of,
    median_of,
    stratified_bootstrap,
)
from qipo_ray.leaderboard.statistics import bootstrap as module


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def normal(seed: int = 1, tasks: int = 4, seeds: int = 6) -> dict[str, np.ndarray]:
    draw = generator(seed)
    return {f"t{i}": draw.normal(10.0 * i, 5, seeds) for i in range(tasks)}


def test_two_seeds_give_three_means_and_their_exact_quantiles() -> None:
    # Redrawn, (0, 100) has mean 0, 50, 100 with chances 1/4, 1/2, 1/4.
    found = stratified_bootstrap({"a": np.array([0.0, 100.0])}, mean_of, generator(), level=0.95)
    assert found == Interval(0.0, 100.0, 0.95)
    middle = stratified_bootstrap({"a": np.array([0.0, 100.0])}, mean_of, generator(), level=0.4)
    assert middle == Interval(50.0, 50.0, 0.4)


def test_a_task_is_redrawn_from_its_own_scores() -> None:
    scores = {"b": np.array([1.0, 2.0]), "a": np.array([30.0, 40.0, 50.0])}
    drawn = module.resampled(scores, generator(), 500)
    assert {task: array.shape for task, array in drawn.items()} == {"a": (500, 3), "b": (500, 2)}
    for task, array in drawn.items():
        assert set(array.ravel()) == set(scores[task])


def test_seeds_stay_within_their_task() -> None:
    constant = {"a": np.full(5, 10.0), "b": np.full(5, 90.0)}
    found = stratified_bootstrap(constant, mean_of, generator())
    assert (found.low, found.high) == (50.0, 50.0)


def test_the_spread_of_the_mean_is_the_textbook_one() -> None:
    scores = normal(tasks=3, seeds=40)
    # Variance of the mean of a redrawn sample: population variance / n, over 3 tasks.
    error = math.sqrt(sum(values.var() / values.size for values in scores.values())) / 3
    found = stratified_bootstrap(scores, mean_of, generator(), resamples=40_000)
    centre = float(mean_of(scores))
    assert found.low == pytest.approx(centre - 1.96 * error, abs=0.05 * error)
    assert found.high == pytest.approx(centre + 1.96 * error, abs=0.05 * error)


def test_unequal_seeds() -> None:
    scores = {"a": np.array([5.0]), "b": np.array([0.0, 10.0, 20.0])}
    found = estimate(scores, mean_of, generator())
    assert found.value == 7.5
    assert found.interval is not None
    assert found.interval.low == 2.5  # all three draws of b are 0 in 1 of 27 resamples
    assert found.interval.high == 12.5


def test_a_single_seed_everywhere_has_no_interval() -> None:
    scores = {"a": np.array([5.0]), "b": np.array([15.0])}
    assert estimate(scores, mean_of, generator()) == Estimate(10.0, None)


def test_equal_generators_give_equal_intervals_in_any_order_of_the_tasks() -> None:
    scores = normal()
    turned = dict(reversed(scores.items()))
    first = stratified_bootstrap(scores, iqm, generator(3))
    assert first == stratified_bootstrap(turned, iqm, generator(3))
    assert first != stratified_bootstrap(scores, iqm, generator(4))


def test_several_statistics_share_their_resamples() -> None:
    scores = normal()
    both = estimates(scores, {"mean": mean_of, "iqm": iqm}, generator(3))
    assert list(both) == ["mean", "iqm"]
    assert both["mean"] == estimate(scores, mean_of, generator(3))
    assert both["iqm"] == estimate(scores, iqm, generator(3))


@pytest.mark.parametrize("block", [200_000, 5_000, 100])
def test_many_together_are_estimated_as_each_alone(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    """Whatever else stands beside them, and however many fit into a block."""
    monkeypatch.setattr(module, "BLOCK", block)
    every = [
        normal(seed, tasks, seeds) for seed, tasks, seeds in ((1, 4, 6), (2, 4, 6), (3, 1, 2))
    ]
    every += [{"z": np.array([7.0])}, {**normal(4, 2, 3), "a": np.array([1.0, 2.0])}, normal(5)]
    chosen = {"mean": mean_of, "iqm": iqm, "median": median_of}
    together = module.estimates_of_all(every, chosen, generator, resamples=400)
    for scores, found in zip(every, together, strict=True):
        assert found == estimates(scores, chosen, generator(), resamples=400)
    assert together[3]["iqm"] == Estimate(7.0, None)


def test_many_with_a_score_that_is_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="t0: a score is not finite"):
        bad = {"t0": np.array([1.0, math.nan])}
        module.estimates_of_all([normal(), bad], {"mean": mean_of}, generator)


@pytest.mark.parametrize("count", [1, 2, 3, 40, 2000])
@pytest.mark.parametrize("level", [0.01, 0.5, 0.95, 0.999])
def test_the_middle_is_that_of_linear_quantiles(count: int, level: float) -> None:
    values = generator().normal(size=(3, 2, count))
    ends = [(1 - level) / 2, (1 + level) / 2]
    expected = np.quantile(values, ends, axis=-1)
    assert np.stack(module.middle(values, level)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.slow
def test_blocks_bound_the_memory_and_change_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = normal()
    whole = stratified_bootstrap(scores, median_of, generator(), resamples=20_000)
    seen = []

    def counted(some: dict[str, np.ndarray]) -> np.ndarray:
        seen.append(some["t0"].shape)
        return median_of(some)

    monkeypatch.setattr(module, "BLOCK", 240)  # ten resamples of 24 runs
    parts = stratified_bootstrap(scores, counted, generator(), resamples=20_005)
    assert seen == [(10, 6)] * 2000 + [(5, 6)]
    width = whole.high - whole.low
    assert (parts.low, parts.high) == pytest.approx((whole.low, whole.high), abs=0.03 * width)


def test_more_confidence_is_wider() -> None:
    scores = normal()
    narrow = stratified_bootstrap(scores, mean_of, generator(), level=0.5)
    wide = stratified_bootstrap(scores, mean_of, generator(), level=0.99)
    assert wide.low < narrow.low < float(mean_of(scores)) < narrow.high < wide.high


@pytest.mark.parametrize(("seeds", "share"), [(3, 0.75), (10, 0.90)])
def test_coverage_is_what_the_docstring_says(seeds: int, share: float) -> None:
    draw = generator(8)
    hits = 0
    for _ in range(1500):
        found = stratified_bootstrap({"a": draw.normal(0, 1, seeds)}, mean_of, draw, 300)
        hits += found.low <= 0 <= found.high
    assert hits / 1500 == pytest.approx(share, abs=0.03)


def test_impossible_requests_are_refused() -> None:
    scores = normal()
    with pytest.raises(ValueError, match="level: expected a share between 0 and 1, got 95"):
        stratified_bootstrap(scores, mean_of, generator(), level=95)
    with pytest.raises(ValueError, match="resamples: expected at least 1, got 0"):
        stratified_bootstrap(scores, mean_of, generator(), resamples=0)
