"""By family: one line for each configuration over the tasks of a family."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from qipo_ray.leaderboard.aggregate import Aggregate, aggregates, family_of
from qipo_ray.leaderboard.rows import EvalSetting, Row
from qipo_ray.leaderboard.tables import Cell, Column, Table
from qipo_ray.leaderboard.views.common import (
    AGGREGATE_PROTOCOL,
    BOLD,
    BRACKETS,
    NAMES,
    STATISTIC_COLUMNS,
    aggregate_cells,
    aggregate_notes,
    metric,
    protocol,
    statistic_scores,
)

COLUMNS = (
    Column("family", "family"),
    *NAMES,
    *STATISTIC_COLUMNS,
    Column("tasks", "tasks"),
    *AGGREGATE_PROTOCOL,
)


def by_family(setting: EvalSetting, rows: Sequence[Row]) -> Table:
    """Return the table of one data source and protocol with aggregates per family."""
    configs, doubled = aggregates(rows, family_of)
    lines: list[tuple[Cell, ...]] = []
    for _, family in groupby(configs, key=lambda config: config.scope):
        lines += _lines(list(family))
    return Table(
        title=f"Data source: {setting.origin}, by family",
        caption=(
            f"{metric(setting)}. Last checkpoint, aggregated over tasks, {protocol(setting, rows)}"
        ),
        source=setting.origin,
        columns=COLUMNS,
        rows=tuple(lines),
        notes=(BOLD.format("family", BRACKETS), *aggregate_notes(rows, configs, doubled)),
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
            "tasks": str(tasks) if config.complete else f"{count} of {tasks}",
            **{column.key: score for column, score in zip(STATISTIC_COLUMNS, scores, strict=True)},
            **aggregate_cells(config),
        }
        lines.append(tuple(cells[column.key] for column in COLUMNS))
    return lines
