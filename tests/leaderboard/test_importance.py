from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qipo_ray.leaderboard.importance import associations, trial_ranks
from qipo_ray.leaderboard.trial_results import TrialResult
from qipo_ray.study.trial import TrialState


def trial(
    value: float | None, rung: float = 2, state: str = "finished", **params: Any
) -> TrialResult:
    return TrialResult("t", "generated", params, value, rung, TrialState(state), 20)


def test_ranks_go_by_rung_then_value_and_ties_share() -> None:
    trials = [trial(90.0, 0, "pruned"), trial(10.0), trial(20.0), trial(20.0), trial(None)]
    assert trial_ranks(trials).tolist() == [2.0, 3.0, 4.5, 4.5, 1.0]


def test_association_is_eta_squared_of_the_ranks() -> None:
    values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    kinds = ["a", "a", "b", "a", "b", "b"]
    trials = [trial(v, kind=k, same=1, lone=i) for i, (v, k) in enumerate(zip(values, kinds))]  # noqa: B905
    found = {one.key: one for one in associations(trials, np.random.default_rng(0))}
    assert "same" not in found
    # ranks 1 2 4 and 3 5 6: means 7/3 and 14/3 about 3.5, three each, of 17.5 in all
    assert found["kind"].share == pytest.approx(6 * (7 / 6) ** 2 / 17.5)
    assert found["kind"].share < found["kind"].chance  # six trials show nothing


def test_a_u_shape_is_found_and_noise_is_not() -> None:
    dice = np.random.default_rng(1)
    trials = [
        trial(float(-((x - 0.5) ** 2) + dice.normal(0, 0.01)), x=float(x), noise=float(n))
        for x, n in dice.uniform(size=(80, 2))
    ]
    first, second = associations(trials, np.random.default_rng(0))
    assert first.key == "x" and first.share > 0.7 > 3 * first.chance
    assert second.share < 0.2
