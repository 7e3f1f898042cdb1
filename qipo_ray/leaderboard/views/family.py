"""By family: one line for each configuration over the tasks of a family."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from qipo_ray.leaderboard.aggregate import Aggregate, aggregates, family_of
from qipo_ray.leaderboard.rows import EvalSetting, Row
from qipo_ray.leaderboard.tables import Cell, Column, Table
from qipo_ray.leaderboard.views.common import (
    BOLD,
    DEPARTURES,
    METRIC,
    PROTOCOL,
    STATISTIC_COLUMNS,
    TASK_LIST,
    aggregate_notes,
    over_tasks,
    protocol,
    protocol_cells,
    seeds_text,
)

COLUMNS = (
    Column("family", "family"),
    Column("method", "method"),
    Column("name", "configuration"),
    DEPARTURES,
    *STATISTIC_COLUMNS,
    Column("tasks", "tasks"),
    Column("seeds", "seeds"),
    TASK_LIST,
    *PROTOCOL,
)


def by_family(setting: EvalSetting, rows: Sequence[Row]) -> Table:
    """Return the table of one data source and protocol with aggregates per family."""
    found, doubled = aggregates(rows, family_of)
    lines: list[tuple[Cell, ...]] = []
    for _, some in groupby(found, key=lambda one: one.scope):
        lines += _lines(list(some))
    return Table(
        title=f"Data source: {setting.source}, by family",
        caption=f"{METRIC}. Last checkpoint, aggregated over tasks, {protocol(setting, rows)}",
        source=setting.source,
        columns=COLUMNS,
        rows=tuple(lines),
        notes=(BOLD.format("family"), *aggregate_notes(rows, found, doubled)),
        kind="family",
    )


def _lines(found: Sequence[Aggregate]) -> list[tuple[Cell, ...]]:
    """Return the lines of one family."""
    columns = [over_tasks(found, column.key) for column in STATISTIC_COLUMNS]
    lines = []
    for one, *scores in zip(found, *columns, strict=True):
        cells: dict[str, Cell] = {
            "family": one.scope,
            "method": one.rows[0].method.name,
            "name": one.label,
            "tasks": str(one.tasks) if one.whole else f"{len(one.rows)} of {one.tasks}",
            "seeds": seeds_text(one.rows),
            **{column.key: score for column, score in zip(STATISTIC_COLUMNS, scores, strict=True)},
            **protocol_cells(one.rows),
        }
        lines.append(tuple(cells[column.key] for column in COLUMNS))
    return lines
