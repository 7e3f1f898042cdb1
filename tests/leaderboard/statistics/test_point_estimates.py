from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from qipo_ray.leaderboard.statistics.point_estimates import (
    Scores,
    Statistic,
    iqm,
    mean_of,
    median_of,
    optimality_gap,
)

EVERY = (mean_of, median_of, iqm, optimality_gap)


def scores(**tasks: list[float]) -> Scores:
    return {task: np.array(values, dtype=float) for task, values in tasks.items()}


def test_mean_weighs_tasks_alike_not_runs() -> None:
    assert mean_of(scores(a=[0, 0, 0, 0], b=[80])) == 40.0


def test_median_is_over_the_tasks_means() -> None:
    assert median_of(scores(a=[0, 10], b=[90, 110], c=[20, 40])) == 30.0
    assert median_of(scores(a=[0, 10], b=[90, 110])) == 52.5


@pytest.mark.parametrize("tasks", range(1, 8))
def test_median_is_numpys(tasks: int) -> None:
    means = np.random.default_rng(tasks).normal(size=tasks)
    found = median_of({f"t{i}": np.array([mean]) for i, mean in enumerate(means)})
    assert found == pytest.approx(np.median(means), abs=1e-15)


def test_optimality_gap_ignores_what_lies_above_the_target() -> None:
    # a: (40 + 0) / 2; b: 90 in its one run
    assert optimality_gap(scores(a=[60, 250], b=[10])) == 55.0
    assert optimality_gap(scores(a=[60, 250], b=[10]), target=50.0) == 20.0


def test_iqm_leaves_out_a_quarter_at_each_end() -> None:
    assert iqm(scores(a=[1, 2, 3, 1000], b=[-500, 4, 5, 6])) == pytest.approx((2 + 3 + 4 + 5) / 4)


def test_iqm_rounds_the_quarter_down() -> None:
    # of 6 runs one goes at each end, of 3 none
    assert iqm(scores(a=[0, 1, 2], b=[3, 4, 100])) == pytest.approx((1 + 2 + 3 + 4) / 4)
    assert iqm(scores(a=[0, 0, 90])) == 30.0


def test_iqm_of_unequal_seeds_counts_each_task_once() -> None:
    # b counts as 15 15 25 25, to weigh as much as a; then two of eight go at each end.
    found = iqm(scores(a=[0, 10, 20, 30], b=[15, 25]))
    assert found == pytest.approx((15 + 15 + 20 + 25) / 4)


def test_iqm_of_unequal_seeds_is_that_of_runs_written_out_as_often() -> None:
    generator = np.random.default_rng(3)
    unequal = {task: generator.normal(50, 20, n) for task, n in {"a": 3, "b": 4, "c": 6}.items()}
    written = {task: np.repeat(values, 12 // values.size) for task, values in unequal.items()}
    assert iqm(unequal) == pytest.approx(iqm(written), abs=1e-12)
    flat = sorted(Fraction(value) for values in written.values() for value in values.tolist())
    assert iqm(unequal) == pytest.approx(float(sum(flat[9:27]) / 18), abs=1e-12)


@pytest.mark.parametrize("statistic", EVERY)
@pytest.mark.parametrize("seeds", [(5, 5, 5), (2, 5, 3)])
def test_a_batch_of_resamples_is_reduced_one_by_one(
    statistic: Statistic, seeds: tuple[int, ...]
) -> None:
    generator = np.random.default_rng(4)
    batch = {f"t{i}": generator.normal(60, 30, (7, n)) for i, n in enumerate(seeds)}
    one_by_one = [statistic({task: array[i] for task, array in batch.items()}) for i in range(7)]
    assert statistic(batch) == pytest.approx(np.array(one_by_one), abs=1e-12)


@pytest.mark.parametrize("statistic", EVERY)
def test_one_run_is_its_own_aggregate(statistic: Statistic) -> None:
    value = statistic(scores(a=[30]))
    assert float(value) == (70.0 if statistic is optimality_gap else 30.0)
    assert f"{value:.1f}"  # a number, which tables can format


@pytest.mark.parametrize("statistic", EVERY)
def test_the_scores_stay_as_they_were_given(statistic: Statistic) -> None:
    given = scores(a=[3, 1, 2], b=[9, 8, 7])
    statistic(given)
    assert given["a"].tolist() == [3, 1, 2]
    assert given["b"].tolist() == [9, 8, 7]


@pytest.mark.parametrize("statistic", EVERY)
def test_what_is_no_score_is_refused(statistic: Statistic) -> None:
    with pytest.raises(ValueError, match="no scores"):
        statistic({})
    with pytest.raises(ValueError, match="b: expected one score per seed"):
        statistic(scores(a=[1], b=[]))
    with pytest.raises(ValueError, match="a: a score is not finite"):
        statistic(scores(a=[1, float("nan")]))
