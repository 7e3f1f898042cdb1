"""By configuration: one line for each, a column for each task, then what spans them all."""

from __future__ import annotations

from collections.abc import Sequence

from qipo_ray.leaderboard.aggregate import Aggregate, aggregates
from qipo_ray.leaderboard.rows import EvalSetting, Row
from qipo_ray.leaderboard.tables import MEAN, Cell, Column, Score, Table
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
    task_scores,
)


def by_config(setting: EvalSetting, rows: Sequence[Row]) -> Table:
    """Return the table of one data source and protocol with a line for each configuration."""
    configs, doubled = aggregates(rows)
    tasks = sorted({row.method.task for config in configs for row in config.rows})
    columns: list[Sequence[Score | None]] = [
        *(task_scores(task, configs) for task in tasks),
        *(statistic_scores(configs, column.key) for column in STATISTIC_COLUMNS),
    ]
    return Table(
        title=f"Data source: {setting.origin}, by configuration",
        caption=(
            f"{metric(setting)}. Last checkpoint: tasks with mean ± sample standard deviation,"
            f" then aggregates over tasks, {protocol(setting, rows)}"
        ),
        source=setting.origin,
        columns=(
            *NAMES,
            *(Column(task, task, parts=MEAN) for task in tasks),
            *STATISTIC_COLUMNS,
            *AGGREGATE_PROTOCOL,
        ),
        rows=tuple(
            _line(config, [scores[i] for scores in columns]) for i, config in enumerate(configs)
        ),
        notes=(BOLD.format("column", BRACKETS), *aggregate_notes(rows, configs, doubled)),
        kind="config",
    )


def _line(config: Aggregate, scores: Sequence[Score | None]) -> tuple[Cell, ...]:
    cells = aggregate_cells(config)
    names, protocol = ([cells[c.key] for c in cs] for cs in (NAMES, AGGREGATE_PROTOCOL))
    return *names, *scores, *protocol
