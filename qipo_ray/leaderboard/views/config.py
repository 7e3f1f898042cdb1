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
from qipo_ray.leaderboard.rows import EvalSetting, Row
from qipo_ray.leaderboard.tables import MEAN, Cell, Column, Score, Table
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

NAMES = (Column("method", "method"), Column("name", "configuration"), DEPARTURES)
LAST = (Column("seeds", "seeds"), TASK_LIST, *PROTOCOL)


def by_config(setting: EvalSetting, rows: Sequence[Row]) -> Table:
    """Return the table of one data source and protocol with a line for each configuration."""
    found, doubled = aggregates(rows, lambda task: EVERYTHING)
    tasks = sorted({row.method.task for one in found for row in one.rows})
    scores = {task: _on(task, found) for task in tasks}
    spanning = [over_tasks(found, column.key) for column in STATISTIC_COLUMNS]
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
        notes=(BOLD.format("column"), *aggregate_notes(rows, found, doubled)),
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
    about: dict[str, Cell] = {
        "method": one.rows[0].method.name,
        "name": one.label,
        "seeds": seeds_text(one.rows),
        **protocol_cells(one.rows),
    }
    return (
        *(about[column.key] for column in NAMES),
        *(scores.get(place) for scores in tasks),
        *spanning,
        *(about[column.key] for column in LAST),
    )
