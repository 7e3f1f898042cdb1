"""The literature beside ours: a table of its own, in no statistic, never for other data."""

from __future__ import annotations

from collections.abc import Sequence

from qipo_ray.leaderboard.literature import PublishedScore, literature_for
from qipo_ray.leaderboard.rows import Row
from qipo_ray.leaderboard.tables import PRINTED, Cell, Column, Score, Table

# The sources of data whose scores published ones may stand beside.
COMPARABLE = ("d4rl", "d4rl, unverified", "ogbench, unverified")
COLUMNS = (
    Column("task", "task"),
    Column("method", "method"),
    Column("published", "published score", parts=PRINTED),
    Column("protocol", "protocol"),
    Column("citation", "source"),
    Column("note", "note"),
    Column("grade", "grade", "file"),
    Column("url", "address", "file"),
)


def published_table(rows: Sequence[Row]) -> Table | None:
    """Return what was published on the tasks that stand here on D4RL's own files, if anything."""
    tasks = [row.method.task for row in rows if row.method.setting.source in COMPARABLE]
    scores = literature_for(tasks)
    if not scores:
        return None
    return Table(
        title="Published scores, not measured here",
        caption=(
            "As printed by their sources, on published files. Protocols differ from ours and from"
            " each other; what stands behind ± differs too. They enter no statistic above."
        ),
        source="literature",
        columns=COLUMNS,
        rows=tuple(map(_cells, scores)),
        kind="literature",
    )


def _cells(row: PublishedScore) -> tuple[Cell, ...]:
    score = Score(row.score, std=row.plus_minus)
    return row.task, row.method, score, row.protocol, row.citation, row.note, row.grade, row.url
