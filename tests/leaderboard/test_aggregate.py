from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from qipo_ray.leaderboard import from_records
from qipo_ray.leaderboard.aggregate import (
    Aggregate,
    aggregates,
    family_of,
    generator,
    leading,
    row_estimates,
    scores_of,
)
from qipo_ray.leaderboard.rows import Row, collect
from qipo_ray.leaderboard.statistics.bootstrap import Estimate, Interval, estimate
from qipo_ray.leaderboard.statistics.point_estimates import iqm, mean_of

Build = Callable[..., dict[str, Any]]
BuildMany = Callable[..., list[dict[str, Any]]]

HOPPER, WALKER, MAZE = "hopper-medium-v2", "walker2d-medium-v2", "maze2d-umaze-v1"


def qipo(found: list[Aggregate]) -> list[Aggregate]:
    return [one for one in found if one.rows[0].method.kind == "run"]


@pytest.mark.parametrize(
    ("task", "family"),
    [
        (HOPPER, "locomotion"),
        (MAZE, "maze2d"),
        ("maze2d-umaze", "maze2d"),
        ("point", "point"),
        ("cube-single-play-singletask-task4-v0", "cube-single-play"),
        ("mine-of-my-own", "mine"),
    ],
)
def test_families(task: str, family: str) -> None:
    assert family_of(task) == family


def test_rows_together_are_estimated_as_each_alone(make_records: BuildMany) -> None:
    records = make_records([HOPPER, WALKER], 3, 4) + make_records([MAZE], 2, 2)
    rows, _ = collect([*records, *make_records(["point"], 1, 1)])
    assert {len(row.scores) for row in rows} == {1, 2, 4}
    for row, found in zip(rows, row_estimates(rows), strict=True):
        alone = estimate(scores_of([row]), mean_of, generator())
        assert found.value == pytest.approx(alone.value, abs=1e-12)
        assert (found.interval is None) == (alone.interval is None)
        if found.interval is not None and alone.interval is not None:
            ends = (alone.interval.low, alone.interval.high)
            assert (found.interval.low, found.interval.high) == pytest.approx(ends, abs=1e-9)


@pytest.mark.parametrize(
    ("values", "intervals", "less", "expected"),
    [
        ([50.0, 45.0, 44.9], [(45.0, 55.0), None, (0.0, 99.0)], False, [True, True, False]),
        ([50.0, 49.9, 50.0], [None, (0.0, 99.0), None], False, [False, False, False]),
        ([50.0], [None], False, [False]),
        ([5.0, 50.0], [(5.0, 5.0), None], True, [True, False]),
        ([50.0, 55.0, 55.1], [(45.0, 55.0), None, None], True, [True, True, False]),
        ([], [], False, []),
    ],
)
def test_leaders_lie_inside_the_interval_of_the_best(
    values: list[float],
    intervals: list[tuple[float, float] | None],
    less: bool,
    expected: list[bool],
) -> None:
    found = [
        Estimate(value, Interval(*ends) if ends else None)
        for value, ends in zip(values, intervals, strict=True)
    ]
    assert leading(found, [True] * len(found), less=less) == expected


def test_what_does_not_compete_is_neither_the_best_nor_leads() -> None:
    estimates = [Estimate(value, Interval(40.0, 60.0)) for value in (90.0, 50.0, 45.0, 55.0)]
    assert leading(estimates, [False, True, True, False]) == [False, True, True, False]


def test_one_name_is_one_configuration_over_tasks(make_record: Build) -> None:
    records = [
        make_record(last, seed=seed, task=task, beta=beta, name="search, best", data=None)
        for task, beta, lasts in ((HOPPER, 1.0, (10.0, 20.0)), (WALKER, 9.0, (50.0, 60.0)))
        for seed, last in enumerate(lasts)
    ]
    rows, _ = collect(records)
    (one,) = qipo(aggregates(rows, family_of)[0])
    assert (one.scope, one.complete, one.tuned) == ("locomotion", True, True)
    assert one.estimates["mean"].value == 35.0
    assert one.estimates["median"].value == 35.0
    assert one.estimates["gap"].value == 65.0
    assert one.estimates["iqm"].value == 35.0  # of 10, 20, 50, 60 without one at either end
    scores = {HOPPER: np.array([10.0, 20.0]), WALKER: np.array([50.0, 60.0])}
    assert one.estimates["iqm"] == estimate(scores, iqm, generator())


def test_names_that_a_task_has_twice_are_told_apart_by_their_hash(make_record: Build) -> None:
    records = [
        make_record(10.0 + beta, task=task, beta=beta, cloning=None, data=None)
        for task in (HOPPER, WALKER)
        for beta in (1.0, 9.0)
    ]
    found, doubled = aggregates(collect(records)[0])
    assert not doubled
    assert sorted(one.estimates["mean"].value for one in found) == [11.0, 19.0]
    assert not any(one.tuned for one in found)


def test_two_data_files_are_never_averaged(make_record: Build) -> None:
    records = [
        make_record(10.0, task=HOPPER),
        make_record(90.0, task=HOPPER, sha256="b" * 64, seed=1),
        make_record(30.0, task=WALKER),
    ]
    found, doubled = aggregates(collect(records)[0])
    assert doubled == [HOPPER]
    assert [one.estimates["mean"].value for one in qipo(found)] == [30.0]
    table = from_records(records, "family").tables[0]
    assert any(note.startswith(f"{HOPPER}: measured twice") for note in table.notes)


def test_rows_keep_the_scores_of_their_seeds(make_record: Build) -> None:
    rows, _ = collect([make_record(last, seed=seed) for seed, last in ((3, 10.0), (1, 40.0))])
    row: Row = rows[-1]
    assert (row.seeds, row.scores) == ((1, 3), (40.0, 10.0))
