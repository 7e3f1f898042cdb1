"""By configuration: one line for each, a column for each task, then what spans them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qipo_ray.leaderboard.aggregate import (
    EVERYTHING,
    Aggregate,
    aggregates,
    leaders,
    row_estimates,
)
from qipo_ray.leaderboard.rows import Row, Setting
from qipo_ray.leaderboard.tables import MEAN, Cell, Column, Score, Table
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

NAMES = (Column("method", "method"), Column("name", "configuration"))
LAST = (Column("seeds", "seeds"), Column("source", "source", "file"))


def by_config(setting: Setting, rows: Sequence[Row]) -> Table:
    """Return the table of one data source and protocol with a line for each configuration."""
    found, doubled = aggregates(rows, lambda task: EVERYTHING)
    tasks = sorted({row.method.task for one in found for row in one.rows})
    scores = {task: _on(task, found) for task in tasks}
    spanning = [over_tasks(found, column.key) for column in STATISTIC_COLUMNS]
    generated = [GENERATED] if setting.source == "generated" else []
    return Table(
        title=f"Data source: {setting.source}, by configuration",
        caption=(
            f"{METRIC}. Last checkpoint: tasks with mean ± sample standard deviation, then"
            f" aggregates over tasks, {protocol(setting, rows)}"
        ),
        source=setting.source,
        columns=(
            *NAMES,
            *(Column(task, task, parts=MEAN) for task in tasks),
            *STATISTIC_COLUMNS,
            *LAST,
        ),
        rows=tuple(
            _line(one, place, [scores[task] for task in tasks], [c[place] for c in spanning])
            for place, one in enumerate(found)
        ),
        notes=(BOLD.format("column"), *aggregate_notes(found, doubled), *generated),
        kind="config",
    )


def _on(task: str, found: Sequence[Aggregate]) -> Mapping[int, Score | None]:
    """Return the scores on one task by the place of their line, those that lead in bold."""
    rows = {
        place: row
        for place, one in enumerate(found)
        for row in one.rows
        if row.method.task == task
    }
    estimated = dict(zip(rows, row_estimates([*rows.values()]), strict=True))
    policies = [place for place, row in rows.items() if row.method.kind != "data"]
    lead = leaders([estimated[place] for place in policies])
    bold = dict(zip(policies, lead, strict=True))
    return {
        place: Score.of(row.last, estimated[place].interval, bold=bold.get(place, False))
        for place, row in rows.items()
    }


def _line(
    one: Aggregate,
    place: int,
    tasks: Sequence[Mapping[int, Score | None]],
    spanning: Sequence[Score],
) -> tuple[Cell, ...]:
    method = one.rows[0].method
    return (
        method.name,
        configuration(method),
        *(scores.get(place) for scores in tasks),
        *spanning,
        seeds_text(one.rows),
        method.setting.source,
    )
