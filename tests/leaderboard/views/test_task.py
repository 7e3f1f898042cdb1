from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qipo_ray.leaderboard import from_records
from qipo_ray.leaderboard.tables import Score, Table

Build = Callable[..., dict[str, Any]]
Bold = Callable[..., set[object]]
Cells = Callable[[Table, str], list[Any]]
HOPPER, WALKER = "hopper-medium-v2", "walker2d-medium-v2"


def test_intervals_do_not_depend_on_what_else_is_in_the_table(
    make_records: Callable[..., list[dict[str, Any]]], cells: Cells
) -> None:
    few, many = make_records([HOPPER], 2, 5), make_records([HOPPER, WALKER], 2, 5)

    def scores(records: list[dict[str, Any]]) -> dict[str, Score]:
        (table, *_) = from_records(records, "task").tables
        keys = ("task", "config", "last")
        rows = zip(*(cells(table, key) for key in keys), strict=True)
        return {config: last for task, config, last in rows if task == HOPPER and config}

    alone, both = scores(few), scores(many)
    assert alone
    assert all(both[key].interval == score.interval for key, score in alone.items())
