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
    protocol,
    protocol_cells,
    seeds_text,
    statistic_scores,
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
    configs, doubled = aggregates(rows, family_of)
    lines: list[tuple[Cell, ...]] = []
    for _, family in groupby(configs, key=lambda config: config.scope):
        lines += _lines(list(family))
    return Table(
        title=f"Data source: {setting.source}, by family",
        caption=f"{METRIC}. Last checkpoint, aggregated over tasks, {protocol(setting, rows)}",
        source=setting.source,
        columns=COLUMNS,
        rows=tuple(lines),
        notes=(BOLD.format("family"), *aggregate_notes(rows, configs, doubled)),
        kind="family",
    )


def _lines(family: Sequence[Aggregate]) -> list[tuple[Cell, ...]]:
    """Return the lines of one family."""
    columns = [statistic_scores(family, column.key) for column in STATISTIC_COLUMNS]
    lines = []
    for config, *scores in zip(family, *columns, strict=True):
        count, tasks = len(config.rows), config.tasks
        cells: dict[str, Cell] = {
            "family": config.scope,
            "method": config.method.name,
            "name": config.label,
            "tasks": str(tasks) if config.complete else f"{count} of {tasks}",
            "seeds": seeds_text(config.rows),
            **{column.key: score for column, score in zip(STATISTIC_COLUMNS, scores, strict=True)},
            **protocol_cells(config.rows),
        }
        lines.append(tuple(cells[column.key] for column in COLUMNS))
    return lines
