from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from qipo_ray.leaderboard.tables import Score, Table


@pytest.fixture
def cells() -> Callable[[Table, str], list[Any]]:
    """A function (table, key) that returns the cells of a column."""

    def cells(table: Table, key: str) -> list[Any]:
        index = [column.key for column in table.columns].index(key)
        return [row[index] for row in table.rows]

    return cells


@pytest.fixture
def bold(cells: Callable[[Table, str], list[Any]]) -> Callable[..., set[object]]:
    """A function (table, key, by="name") that returns the names of the bold rows of a column."""

    def bold(table: Table, key: str, by: str = "name") -> set[object]:
        pairs = zip(cells(table, by), cells(table, key), strict=True)
        return {name for name, cell in pairs if isinstance(cell, Score) and cell.bold}

    return bold
