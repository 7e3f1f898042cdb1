from __future__ import annotations

from collections.abc import Callable

import pytest

from qipo_ray.leaderboard.statistics.bootstrap import Interval
from qipo_ray.leaderboard.tables import MEAN, Cell, Column, Footnoted, Score, Table

COLUMNS = (
    Column("method", "method"),
    Column("last", "score", parts=MEAN),
    Column("gain", "gain", parts=MEAN, signed=True, muted=True),
    Column("seeds", "seeds", "document"),
    Column("clip", "clipped", "file"),
)


@pytest.fixture
def make_table() -> Callable[..., Table]:
    """A function (rows, source) that makes a table with all kinds of columns."""

    def make(*rows: tuple[Cell, ...], source: str = "d4rl") -> Table:
        notes, footnotes = ("A note.",), ("1. Foot.",)
        return Table("A *title*", "What it says.", source, COLUMNS, rows, notes, footnotes)

    return make


@pytest.fixture
def leader_row() -> tuple[Cell, ...]:
    """A row of that table: with a footnote, a score in bold, and one without an interval."""
    leader = Score(51.04, 2.26, Interval(49.0, 53.0), 3, bold=True)
    return Footnoted("QIPO", 1), leader, Score(-3.0, None, None, 1), 3, True
