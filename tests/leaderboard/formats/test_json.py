from __future__ import annotations

from collections.abc import Callable

from qipo_ray.leaderboard.formats.json import json_rows
from qipo_ray.leaderboard.tables import Cell, Table

MakeTable = Callable[..., Table]
Line = tuple[Cell, ...]


def test_json_rows_are_plain(make_table: MakeTable, leader_row: Line) -> None:
    (row,) = json_rows(make_table(leader_row))
    assert row["method"] == "QIPO"
    assert row["last"] == {
        "mean": 51.04,
        "std": 2.26,
        "low": 49.0,
        "high": 53.0,
        "seeds": 3,
        "bold": True,
    }
    assert row["clip"] is True
