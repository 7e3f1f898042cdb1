from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from qipo_ray.leaderboard.statistics import paired_tests
from qipo_ray.leaderboard.statistics.bootstrap import Estimate
from qipo_ray.leaderboard.statistics.paired_tests import paired_test, probability_of_improvement


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_improvement_counts_pairs_and_half_of_the_ties() -> None:
    a = {"t": np.array([1.0, 5.0, 9.0]), "u": np.array([7.0])}
    b = {"t": np.array([5.0, 0.0]), "u": np.array([8.0])}
    # t: 1>0, 5>0, 9>5, 9>0 and the tie 5=5 -> 4.5 of 6; u: 0 of 1
    found = probability_of_improvement(a, b, generator())
    assert found.value == pytest.approx((0.75 + 0.0) / 2)
    assert found.interval is not None
    assert found.interval.low <= found.value <= found.interval.high


def test_improvement_over_oneself_is_even_and_turned_round_is_the_rest() -> None:
    draw = generator(3)
    a, b = ({t: draw.normal(m, 5, 6) for t in "tu"} for m in (50, 53))
    assert probability_of_improvement(a, a, generator()).value == 0.5
    there = probability_of_improvement(a, b, generator())
    back = probability_of_improvement(b, a, generator())
    assert there.value + back.value == pytest.approx(1.0)


def test_improvement_is_over_common_tasks_alone() -> None:
    a = {"t": np.array([1.0]), "only-a": np.array([100.0, 0.0])}
    b = {"t": np.array([0.0]), "only-b": np.array([100.0])}
    assert probability_of_improvement(a, b, generator()) == Estimate(1.0, None)
    with pytest.raises(ValueError, match="no scores"):
        probability_of_improvement({"t": np.array([1.0])}, {"u": np.array([1.0])}, generator())


def test_paired_test_by_hand() -> None:
    # Differences 1, 2, 3: of the 8 patterns only +++ and --- reach |6|.
    a = {"t": {1: 11.0, 2: 22.0, 3: 33.0, 9: 999.0}}
    b = {"t": {1: 10.0, 2: 20.0, 3: 30.0, 8: -999.0}}
    found = paired_test(a, b, generator())
    assert (found.p_value, found.pairs) == (0.25, 3)
    assert found.difference.value == pytest.approx(2.0)
    assert found.difference.interval is not None
    assert (found.difference.interval.low, found.difference.interval.high) == (1.0, 3.0)


def test_paired_test_weighs_tasks_alike() -> None:
    a = {"t": {1: 4.0, 2: 8.0}, "u": {1: 1.0}}
    b = {"t": {1: 0.0, 2: 0.0}, "u": {1: 3.0}}
    found = paired_test(a, b, generator())
    assert found.difference.value == pytest.approx((6.0 - 2.0) / 2)
    # Written out: |s1 4/2 + s2 8/2 - s3 2| / 2 over all signs, those that reach |2|.
    sums = [abs(s1 * 2 + s2 * 4 - s3 * 2) / 2 for s1, s2, s3 in product((-1, 1), repeat=3)]
    assert found.p_value == sum(total >= 2 - 1e-12 for total in sums) / 8


def test_equal_runs_do_not_differ() -> None:
    runs = {"t": {seed: 10.0 * seed for seed in range(20)}}
    found = paired_test(runs, runs, generator())
    assert (found.difference.value, found.p_value) == (0.0, 1.0)


def test_drawn_signs_agree_with_all_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = generator(5)
    a = {"t": {seed: float(draw.normal(1.0, 2)) for seed in range(12)}}
    b = {"t": {seed: float(draw.normal(0.0, 2)) for seed in range(12)}}
    exact = paired_test(a, b, generator())
    monkeypatch.setattr(paired_tests, "EXACT_PAIRS", 11)
    drawn = paired_test(a, b, generator(6))
    assert drawn.p_value != exact.p_value
    error = (exact.p_value * (1 - exact.p_value) / paired_tests.SIGN_DRAWS) ** 0.5
    assert drawn.p_value == pytest.approx(exact.p_value, abs=4 * error + 1e-4)


def test_drawn_signs_never_give_a_chance_of_none() -> None:
    runs = {"t": {seed: 100.0 + seed for seed in range(40)}}
    zero = {"t": dict.fromkeys(range(40), 0.0)}
    assert paired_test(runs, zero, generator()).p_value == 1 / 10_001


@pytest.mark.slow
def test_false_alarms_are_as_rare_as_promised() -> None:
    draw = generator(7)
    p_values = []
    for _ in range(400):
        a, b = ({"t": dict(enumerate(draw.normal(0, 1, 8)))} for _ in range(2))
        p_values.append(paired_test(a, b, draw, resamples=10).p_value)
    assert np.mean(np.array(p_values) <= 0.05) == pytest.approx(0.047, abs=0.035)


def test_no_common_seed_is_no_test() -> None:
    with pytest.raises(ValueError, match="no scores"):
        paired_test({"t": {1: 1.0}}, {"t": {2: 1.0}, "u": {1: 1.0}}, generator())
