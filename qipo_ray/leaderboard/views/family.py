"""By family: one line for each configuration over the tasks of a family."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from qipo_ray.leaderboard.aggregate import Aggregate, aggregates, family_of
from qipo_ray.leaderboard.rows import Row, Setting
from qipo_ray.leaderboard.tables import Cell, Column, Table
from qipo_ray.leaderboard.views.common import (
    BOLD,
    GENERATED,
    METRIC,
    STATISTIC_COLUMNS,
    aggregate_notes,
    configuration,
    over_tasks,
    protocol,
    seeds_text,
)

COLUMNS = (
    Column("family", "family"),
    Column("method", "method"),
    Column("name", "configuration"),
    *STATISTIC_COLUMNS,
    Column("tasks", "tasks"),
    Column("seeds", "seeds"),
    Column("task_list", "tasks by name", "file"),
    Column("source", "source", "file"),
)


def by_family(setting: Setting, rows: Sequence[Row]) -> Table:
    """Return the table of one data source and protocol with aggregates per family."""
    found, doubled = aggregates(rows, family_of)
    lines: list[tuple[Cell, ...]] = []
    for _, some in groupby(found, key=lambda one: one.scope):
        lines += _lines(list(some))
    generated = [GENERATED] if setting.source == "generated" else []
    return Table(
        title=f"Data source: {setting.source}, by family",
        caption=f"{METRIC}. Last checkpoint, aggregated over tasks, {protocol(setting, rows)}",
        source=setting.source,
        columns=COLUMNS,
        rows=tuple(lines),
        notes=(BOLD.format("family"), *aggregate_notes(found, doubled), *generated),
        kind="family",
    )


def _lines(found: Sequence[Aggregate]) -> list[tuple[Cell, ...]]:
    """Return the lines of one family."""
    columns = [over_tasks(found, column.key) for column in STATISTIC_COLUMNS]
    lines = []
    for one, *scores in zip(found, *columns, strict=True):
        method = one.rows[0].method
        tasks = str(one.tasks) if one.whole else f"{len(one.rows)} of {one.tasks}"
        lines.append(
            (
                one.scope,
                method.name,
                configuration(method),
                *scores,
                tasks,
                seeds_text(one.rows),
                " ".join(row.method.task for row in one.rows),
                method.setting.source,
            )
        )
    return lines
