from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from qipo_ray.leaderboard.rows import collect
from qipo_ray.leaderboard.views.published import published_table

Build = Callable[..., dict[str, Any]]


@pytest.mark.parametrize("source", ["d4rl", "d4rl, unverified"])
def test_published_scores_stand_in_a_table_of_their_own(make_record: Build, source: str) -> None:
    rows, _ = collect([make_record(10.0, task="hopper-medium-v2", source=source)])
    table = published_table(rows)
    assert table is not None and (table.kind, table.source) == ("literature", "literature")
    assert {row[0] for row in table.rows} == {"hopper-medium-v2"}
    keys = [column.key for column in table.columns]
    assert all(row[keys.index("citation")] for row in table.rows)


@pytest.mark.parametrize("source", ["generated", "minari", "other"])
def test_nothing_published_stands_beside_other_data(make_record: Build, source: str) -> None:
    rows, _ = collect([make_record(10.0, task="hopper-medium-v2", source=source)])
    assert published_table(rows) is None
