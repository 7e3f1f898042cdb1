"""Whether two records hold the same number: to the last bit, within the interval, or unknown."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest

from qipo_ray.config import load_config, to_dict
from qipo_ray.verify.comparison import Comparison, compare
from qipo_ray.verify.reproduction import Recipe, recipe

Record = dict[str, Any]


@pytest.fixture
def record(make_record: Callable[..., Record]) -> Record:
    """A finished run with two scores on the way: 101 episodes, means 40 and 60, deviation 10."""
    one = make_record(30.0) | {"config": to_dict(load_config("quickstart"))}
    last = one["final"]["last"] | {"mean": 60.0, "std": 10.0, "episodes": 101}
    before = [last | {"updates": at, "episodes": 20, "mean": 40.0} for at in (1000, 2000)]
    one["scores"], one["final"]["last"] = [*before, last], last
    return one


def held(record: Record, new: Record, exact: bool = True) -> Comparison:
    made: Recipe = recipe(record)
    return compare(made, record, new, exact)


def test_equal_scores_are_equal_to_the_last_bit(record: Record) -> None:
    for exact in (True, False):
        verdict = held(record, copy.deepcopy(record), exact)
        assert verdict.same
        assert verdict.text == (
            "recorded 30.0, here 30.0: equal to the last bit; so are, beside it, update 1000 over "
            "20 episodes, update 2000 over 20 episodes, cloning"
        )


def test_one_bit_is_a_difference(record: Record) -> None:
    new = copy.deepcopy(record)
    new["final"]["last"]["mean"] = math.nextafter(60.0, 61.0)
    new["scores"][-1] = new["final"]["last"]
    verdict = held(record, new)
    assert not verdict.same and "differs by +7.11e-15; nothing here should" in verdict.text
    assert held(record, new, exact=False).same


@pytest.mark.parametrize("beside", ["cloning", "update 1000 over 20 episodes"])
def test_a_bit_beside_the_last_score_is_a_difference(record: Record, beside: str) -> None:
    new = copy.deepcopy(record)
    score = new["behaviour_cloning"] if beside == "cloning" else new["scores"][0]
    score["std"] += 1e-9
    verdict = held(record, new)
    assert not verdict.same and verdict.text.endswith(f"equal, but others differ ({beside})")
    assert held(record, new, exact=False).same


def test_the_tolerance_is_that_of_a_difference_of_means(record: Record) -> None:
    """Two means over 101 episodes with population deviations 10 and 24: errors 1 and 2.4."""
    limit = 1.96 * math.sqrt(1.0**2 + 2.4**2)
    for mean, same in ((60 + 0.999 * limit, True), (60 - 1.001 * limit, False)):
        new = copy.deepcopy(record)
        new["final"]["last"] |= {"mean": mean, "std": 24.0}
        new["scores"][-1] = new["final"]["last"]
        verdict = held(record, new, exact=False)
        assert verdict.same is same
        assert f"{'within' if same else 'more than'} {limit:.3g}" in verdict.text


def test_what_was_not_compared_was_not_reproduced(record: Record) -> None:
    new = copy.deepcopy(record) | {"state": "diverged", "reason": "critic loss is nan"}
    new["final"]["last"], new["scores"] = None, new["scores"][:-1]
    for exact in (True, False):
        verdict = held(record, new, exact)
        assert not verdict.same
        assert verdict.text == (
            "not compared: no score at update 3000 over 101 episodes; the run here diverged "
            "(critic loss is nan)"
        )
    void = copy.deepcopy(record)
    void["final"]["last"]["mean"] = None
    assert held(void, void) == Comparison(False, "not compared: the recorded score is null")


@pytest.mark.parametrize(
    ("state", "reason", "same"),
    [
        ("diverged", "critic loss is nan at update 100", True),
        ("diverged", "critic loss is nan at update 200", False),
        ("finished", None, False),
    ],
)
def test_a_run_without_a_score_has_to_end_the_same_way(
    record: Record, state: str, reason: str | None, same: bool
) -> None:
    old = record | {"state": "diverged", "reason": "critic loss is nan at update 100"}
    old["final"], old["scores"] = dict.fromkeys(old["final"]), []
    assert held(old, old | {"state": state, "reason": reason}).same is same


def test_runs_that_failed_alike_are_no_proof(record: Record) -> None:
    old = record | {"state": "failed", "reason": "the node died", "scores": []}
    old["final"] = dict.fromkeys(old["final"])
    assert not held(old, old).same
