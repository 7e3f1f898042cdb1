from __future__ import annotations

import ast
import doctest
import itertools
import math
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.search_files import stopped_at

from qipo_ray.study import asha as rule
from qipo_ray.study.asha import Arrivals, decide, expected_on


def entry(trial: str, rung: int, value: float | None, task: str = "point") -> dict[str, Any]:
    return {"trial": trial, "rung": rung, "value": value, "task": task}


def test_the_example_of_the_docstring_is_true() -> None:
    failed, tried = doctest.testmod(rule)
    assert (failed, tried) == (0, 4)


def test_the_sentence_has_the_numbers() -> None:
    values = [("a", 10.0), ("b", 30.0), ("c", 20.1), ("d", 12.3)]
    decision = decide(values, 2, "rung 1/9")
    assert decision.stop
    assert decision.reason == "12.3 at rung 1/9 is below 16.2, the best half of 4 trials"
    on = decide([("a", 4.0)], 3, "rung 1/3")
    assert not on.stop and on.reason == "4 at rung 1/3 reaches 4, the best third of 1 trial"
    errors = [(name, -number) for name, number in values]  # less is better
    turned = decide([*errors, ("e", -14.0)], 2, "rung 1/9", sign=-1)
    assert turned.reason == "14 at rung 1/9 reaches 14, the best half of 5 trials"
    turned = decide(errors[:2], 2, "rung 1/9", sign=-1)
    assert turned.reason == "30 at rung 1/9 is above 20, the best half of 2 trials"


@pytest.mark.parametrize("reduction", [2, 3, 4, 7])
def test_it_is_numpy_s_linear_quantile(reduction: int) -> None:
    generator = random.Random(reduction)
    for _ in range(200):
        numbers = [generator.choice([1.0, 2.5, generator.gauss(0, 9)]) for _ in range(9)]
        size = generator.randrange(1, 10)
        values = [(str(i), number) for i, number in enumerate(numbers[:size])]
        threshold = float(np.quantile(numbers[:size], 1 - 1 / reduction))
        if math.isclose(numbers[size - 1], threshold, rel_tol=1e-12):
            continue
        assert decide(values, reduction).stop == (numbers[size - 1] < threshold)


@pytest.mark.parametrize("reduction", range(2, 12))
def test_a_value_on_the_threshold_is_not_below_it(reduction: int) -> None:
    for rounds in range(1, 8):
        values = [(str(i), 0.1 * i) for i in range(reduction * rounds + 1)]
        threshold = values.pop((reduction - 1) * rounds)
        assert not decide([*values, threshold], reduction).stop


def test_the_first_and_the_equal_go_on() -> None:
    assert not decide([("a", -1e9)], 3).stop
    assert not decide([(str(i), 0.1) for i in range(7)], 3).stop


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_no_finite_value_stops_and_counts_as_the_worst(value: float | None) -> None:
    assert decide([("a", value)], 3).stop
    assert decide([("a", 1.0), ("b", value)], 3).reason == "no finite value at this rung"
    assert not decide([("a", value), ("b", -50.0)], 3).stop
    with_nan = decide([("a", value), ("b", 5.0), ("c", 9.0), ("d", 8.0)], 3)
    assert with_nan == decide([("a", 5.0), ("b", 5.0), ("c", 9.0), ("d", 8.0)], 3)


def test_replay_judges_each_entry_by_those_before_it() -> None:
    entries = [
        entry("a", 0, 10.0),
        entry("b", 0, 5.0),
        entry("a", 1, 1.0),
        entry("x", 0, 99.0, "another"),
        entry("c", 0, 20.0),
        entry("c", 1, 30.0),
        entry("d", 0, 9.0),
        entry("c", 2, 0.0),
        entry("a", 2, 40.0),
        entry("e", 0, None),
    ]
    rungs = {trial: 3 for trial in "abcdex"}
    # d: 9 is below the best third of 5, 9, 10, 20; a second place at the last rung ends nobody
    expected = {"a": None, "b": 0, "c": None, "d": 0, "e": 0, "x": None}
    assert stopped_at(entries, rungs, 3) == expected
    for end in range(len(entries) + 1):
        partly = stopped_at(entries[:end], rungs, 3)
        assert all(partly[trial] in (None, expected[trial]) for trial in rungs)


def test_replay_agrees_with_deciding_live() -> None:
    generator = random.Random(3)
    log: list[dict[str, Any]] = []
    stopped: dict[str, int | None] = {}
    for trial in map(str, range(40)):
        stopped[trial] = None
        for rung in range(3):
            log.append(entry(trial, rung, generator.gauss(0, 1)))
            if rung < 2 and decide(Arrivals(log).until("point", trial, rung), 3).stop:
                stopped[trial] = rung
                break
    assert stopped_at(log, dict.fromkeys(stopped, 3), 3) == stopped
    assert 2 <= sum(rung is None for rung in stopped.values()) <= 15


def test_arrivals_are_those_of_a_rung_down_to_the_trial() -> None:
    log = [entry("a", 0, 1.0), entry("x", 0, 9.0, "maze"), entry("b", 0, None), entry("a", 1, 2.0)]
    arrivals = Arrivals(log)
    arrivals.add(entry("c", 0, 3.0))
    assert arrivals.until("point", "b", 0) == [("a", 1.0), ("b", None)]
    assert arrivals.until("point", "c", 0) == [("a", 1.0), ("b", None), ("c", 3.0)]
    assert arrivals.until("maze", "x", 0) == [("x", 9.0)]
    assert arrivals.until("point", "b", 1) == []
    values = [arrivals.value("point", "a", rung) for rung in (0, 1, 2, None)]
    assert values == [1.0, 2.0, None, None]


def test_of_a_rung_that_is_twice_in_a_log_the_first_counts() -> None:
    log = [entry("a", 0, None), entry("b", 0, 1.0), entry("a", 0, None)]
    assert Arrivals(log).until("point", "a", 0) == [("a", None)]


def test_trials_without_an_intent_are_compared_with_only() -> None:
    entries = [entry("lost", 0, 10.0), entry("b", 0, 5.0)]
    assert stopped_at(entries, {"b": 3}, 3) == {"b": 0}


def test_the_rule_needs_the_standard_library_alone() -> None:
    tree = ast.parse(Path(rule.__file__).read_text())
    modules = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""] if isinstance(node, ast.ImportFrom) else [node.names[0].name]
        )
    }
    assert modules <= sys.stdlib_module_names | {"collections.abc"}


@pytest.mark.parametrize(("trials", "reduction"), [(1, 3), (4, 2), (5, 3), (6, 4)])
def test_how_many_go_on_in_the_mean_over_all_orders(trials: int, reduction: int) -> None:
    counts = []
    for order in itertools.permutations(range(trials)):
        values = [(str(value), float(value)) for value in order]
        counts.append(sum(not decide(values[: i + 1], reduction).stop for i in range(trials)))
    assert expected_on(trials, reduction) == pytest.approx(np.mean(counts))
