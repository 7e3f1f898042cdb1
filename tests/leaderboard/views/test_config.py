from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qipo_ray.leaderboard import from_records
from qipo_ray.leaderboard.tables import Table

Build = Callable[..., dict[str, Any]]
Bold = Callable[..., set[object]]
Cells = Callable[[Table, str], list[Any]]
HOPPER, WALKER = "hopper-medium-v2", "walker2d-medium-v2"


def test_on_the_task_itself_everything_competes(make_record: Build, bold: Bold) -> None:
    records = [
        make_record(last + seed, task=task, name=name, beta=beta, seed=seed)
        for last, task, name, beta in (
            (10.0, HOPPER, "whole", 3.0), (20.0, WALKER, "whole", 3.0), (99.0, WALKER, "half", 1.0)
        )
        for seed in (0, 1)
    ]  # fmt: skip
    (table,) = from_records(records, "config").tables
    assert bold(table, WALKER) == {"half"}
    assert bold(table, "iqm") == {"whole"}


def test_a_task_that_was_not_measured_is_empty(make_record: Build, cells: Cells) -> None:
    records = [
        make_record(10.0, task=HOPPER, name="x", cloning=None, data=None),
        make_record(20.0, task=WALKER, name="y", beta=9.0, cloning=None, data=None),
    ]
    (table,) = from_records(records, "config").tables
    assert cells(table, "name") == ["x", "y"]
    assert [score and score.value for score in cells(table, HOPPER)] == [10.0, None]
