from __future__ import annotations

from collections.abc import Callable

from qipo_ray.leaderboard.formats.html import table_data
from qipo_ray.leaderboard.tables import Cell, Table

MakeTable = Callable[..., Table]
Line = tuple[Cell, ...]


def test_html_cells_say_what_they_are(make_table: MakeTable, leader_row: Line) -> None:
    drawn = table_data(make_table(leader_row))
    assert drawn["rows"] == [
        [
            ("QIPO [1]", "", ""),
            ("51.0 ± 2.3 [49.0, 53.0]", "number best", "51.04"),
            ("-3.0", "number muted", "-3.0"),
            ("3", "", "3"),
        ]
    ]
