from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from qipo_ray.leaderboard.figures.scale import Scale
from qipo_ray.leaderboard.importance import associations, trial_ranks
from qipo_ray.leaderboard.trial_results import TrialResult, active_params, trial_results

Build = Callable[..., dict[str, Any]]


def trial(
    value: float | None, rung: float = 2, state: str = "finished", **params: Any
) -> TrialResult:
    return TrialResult("t", "generated", params, value, rung, state, 20)


def test_trials_are_means_over_search_seeds(make_record: Build) -> None:
    records = []
    for seed, value in enumerate((10.0, 30.0)):
        one = make_record(value, purpose="search", name="search", seed=seed)
        one["scores"] = [{"normalised": value, "episodes": 20, "updates": 3000}]
        one["reached"]["rung"] = 2
        records.append(one)
    paper = make_record(99.0, purpose="search", name="paper", beta=1.0)
    (found,) = trial_results([*records, paper, make_record(50.0)], {"policy.beta": {}})
    assert (found.value, found.episodes, found.rung, found.params) == (20.0, 40, 2.0, {
        "policy.beta": 3.0
    })  # fmt: skip


def test_a_broken_seed_breaks_its_trial(make_record: Build) -> None:
    fine = make_record(50.0, purpose="search", name="search")
    broken = make_record(None, purpose="search", name="search", seed=1, state="diverged")
    (found,) = trial_results([fine, broken], {})
    assert (found.state, found.value) == ("diverged", None)


def test_a_parameter_whose_condition_is_not_met_is_absent() -> None:
    space = {"a.x": {"choice": [1, 2]}, "a.y": {"uniform": [0, 1], "when": {"a.x": [2]}}}
    assert active_params({"a": {"x": 1, "y": 0.5}}, space) == {"a.x": 1}
    assert active_params({"a": {"x": 2, "y": 0.5}}, space) == {"a.x": 2, "a.y": 0.5}


def test_ranks_go_by_rung_then_value_and_ties_share() -> None:
    some = [trial(90.0, 0, "pruned"), trial(10.0), trial(20.0), trial(20.0), trial(None)]
    assert trial_ranks(some).tolist() == [2.0, 3.0, 4.5, 4.5, 1.0]


def test_association_is_eta_squared_of_the_ranks() -> None:
    values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    kinds = ["a", "a", "b", "a", "b", "b"]
    some = [trial(v, kind=k, same=1, lone=i) for i, (v, k) in enumerate(zip(values, kinds))]  # noqa: B905
    found = {one.key: one for one in associations(some, np.random.default_rng(0))}
    assert "same" not in found
    # ranks 1 2 4 and 3 5 6: means 7/3 and 14/3 about 3.5, three each, of 17.5 in all
    assert found["kind"].share == pytest.approx(6 * (7 / 6) ** 2 / 17.5)
    assert found["kind"].share < found["kind"].chance  # six trials show nothing


def test_a_u_shape_is_found_and_noise_is_not() -> None:
    dice = np.random.default_rng(1)
    some = [
        trial(float(-((x - 0.5) ** 2) + dice.normal(0, 0.01)), x=float(x), noise=float(n))
        for x, n in dice.uniform(size=(80, 2))
    ]
    first, second = associations(some, np.random.default_rng(0))
    assert first.key == "x" and first.share > 0.7 > 3 * first.chance
    assert second.share < 0.2


@pytest.mark.parametrize(
    ("values", "log", "middle"),
    [
        ((1.0, 2.0, 4.0), False, 0.5),
        (tuple(10.0**i for i in range(-4, 5)), True, 0.5),
        (tuple(float(i) for i in range(9)), False, 0.5),
        ((True, False), False, None),
        (("ot", "vp", "x"), False, 0.5),
    ],
)
def test_scales(values: tuple[Any, ...], log: bool, middle: float | None) -> None:
    (scale,) = Scale.of_all([trial(1.0, p=value) for value in values])
    assert scale.log == log
    assert (scale.position(scale.values[0]), scale.position(scale.values[-1])) == (0.0, 1.0)
    if middle is not None:
        assert scale.position(scale.values[len(values) // 2]) == pytest.approx(middle)
    places, words = scale.ticks()
    assert len(places) == len(words) and len(set(words)) == len(words)


def test_one_value_has_no_scale() -> None:
    assert Scale.of_all([trial(1.0, p=3), trial(2.0, p=3)]) == []
