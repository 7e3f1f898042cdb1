from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qipo_ray.leaderboard.trial_results import active_params, trial_results

Build = Callable[..., dict[str, Any]]


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


def test_a_trial_is_worth_what_its_search_went_by(make_record: Build) -> None:
    record = make_record(50.0, purpose="search", name="search")
    record["protocol"]["objective"] = "td_error"
    record["signals"] = [{"updates": 9, "fqe": None, "td_error": 0.25, "behaviour_loss": 1.0}]
    record["scores"] = []
    (result,) = trial_results([record], {})
    assert (result.value, result.objective, result.episodes) == (-0.25, "td_error", 0)
    assert result.axis == "-TD error"


def test_a_broken_seed_breaks_its_trial(make_record: Build) -> None:
    fine = make_record(50.0, purpose="search", name="search")
    broken = make_record(None, purpose="search", name="search", seed=1, state="diverged")
    (found,) = trial_results([fine, broken], {})
    assert (found.state, found.value) == ("diverged", None)


def test_a_parameter_whose_condition_is_not_met_is_absent() -> None:
    when: dict[str, Any] = {"a.x": [2]}
    space = {"a.x": {"choice": [1, 2]}, "a.y": {"uniform": [0, 1], "when": when}}
    assert active_params({"a": {"x": 1, "y": 0.5}}, space) == {"a.x": 1}
    assert active_params({"a": {"x": 2, "y": 0.5}}, space) == {"a.x": 2, "a.y": 0.5}
    when["a.x"] = {"min": 2}
    assert active_params({"a": {"x": 1, "y": 0.5}}, space) == {"a.x": 1}
    assert active_params({"a": {"x": 3, "y": 0.5}}, space) == {"a.x": 3, "a.y": 0.5}
    assert active_params({"a": {"y": 0.5}}, space) == {}
