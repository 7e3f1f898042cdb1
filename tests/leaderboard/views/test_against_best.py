from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from qipo_ray.leaderboard.rows import collect
from qipo_ray.leaderboard.tables import Score, Table
from qipo_ray.leaderboard.views.against_best import MAX_LINES, against_best

Build = Callable[..., dict[str, Any]]
Cells = Callable[[Table, str], list[Any]]
TASKS = ("hopper-medium-v2", "walker2d-medium-v2")


def compared(records: list[dict[str, Any]]) -> Table | None:
    rows, _ = collect(records)
    return against_best(rows[0].method.setting, rows)


def by_hand(make_record: Build, seeds_of_second: tuple[int, ...]) -> list[dict[str, Any]]:
    """Two configurations; the first leads by 10 on one task and trails by 4 on the other."""
    more: dict[str, Any] = {"cloning": None, "data": None}
    records = []
    for task, lead in zip(TASKS, (10.0, -4.0), strict=True):
        for seed in (0, 1, 2):
            name = {"name": "first", "beta": 1.0}
            records.append(make_record(50.0 + seed + lead, seed=seed, task=task, **name, **more))
        for seed in seeds_of_second:
            name = {"name": "second", "beta": 2.0}
            records.append(make_record(50.0 + seed, seed=seed, task=task, **name, **more))
    return records


def test_two_configurations_by_hand(make_record: Build, cells: Cells) -> None:
    table = compared(by_hand(make_record, (0, 1, 2)))
    assert table is not None
    assert cells(table, "name") == ["first", "second"]
    assert [score.value for score in cells(table, "mean")] == pytest.approx([54.0, 51.0])
    assert cells(table, "rank") == ["1.5", "1.5"]  # each wins one task
    best, lead = cells(table, "lead")
    assert best is None and lead.value == pytest.approx(3.0)
    assert cells(table, "pairs") == [None, 6]
    # Of the 64 sign patterns, a sum of at least 18 in size: all but few of the tens must agree.
    patterns = [
        abs(sum(s * d for s, d in zip(signs, (10, 10, 10, 4, 4, 4), strict=True)))
        for signs in (
            [1 if number >> bit & 1 else -1 for bit in range(6)] for number in range(2**6)
        )
    ]
    share = sum(size >= 30 - 12 for size in patterns) / 64
    assert cells(table, "p")[1] == f"{share:.3g}"
    assert cells(table, "wins")[1].value == pytest.approx(50.0)  # 100 % there, 0 % here


def test_without_common_seeds_there_is_no_test(make_record: Build, cells: Cells) -> None:
    table = compared(by_hand(make_record, (7, 8)))
    assert table is not None
    assert cells(table, "p")[1] is None and cells(table, "pairs")[1] == 0
    assert isinstance(cells(table, "wins")[1], Score)


def test_one_configuration_compares_with_nothing(make_record: Build) -> None:
    assert compared([make_record(10.0, cloning=None)]) is None


def test_a_configuration_that_misses_a_task_stays_out(make_record: Build, cells: Cells) -> None:
    records = by_hand(make_record, (0, 1, 2))
    records.append(make_record(99.0, task=TASKS[0], name="third", cloning=None, data=None))
    table = compared(records)
    assert table is not None and "third" not in cells(table, "name")


def test_what_has_no_room_is_counted(
    make_records: Callable[..., list[dict[str, Any]]], cells: Cells
) -> None:
    table = compared(make_records(["hopper-medium-v2"], MAX_LINES + 5, 2, cloning=None))
    assert table is not None and len(table.rows) == MAX_LINES
    assert "5 more configurations" in table.notes[-1]
    means = [score.value for score in cells(table, "mean")]
    assert means == sorted(means, reverse=True)
