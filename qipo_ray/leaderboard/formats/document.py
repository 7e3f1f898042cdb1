"""What every format is given: tables, and what holds for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qipo_ray.leaderboard.tables import Table

SCHEMA = 4  # of all files; 3: a wide table in LaTeX, a CSV with notes and a source in its columns,
# 2: no captions and notes in the JSON, 1: no intervals and kinds of tables
WRITTEN = (3, SCHEMA)  # those in which files are still written: an old sweep keeps its own
TITLE = "Leaderboard"
NOTHING_TO_REPORT = "No finished run to report."


@dataclass(frozen=True)
class BoardDocument:
    """A whole leaderboard, ready to be written in any format."""

    metric: str
    tables: tuple[Table, ...]
    notes: tuple[str, ...]
    left_out: Mapping[str, int]  # records, by reason
    records: tuple[str, ...]  # ids of all that it was made of, those left out too
    schema: int = SCHEMA
