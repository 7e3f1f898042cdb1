"""As papers print it: a line for each task, a column for each method, then the mean."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from qipo_ray.leaderboard.aggregate import Aggregate, aggregates
from qipo_ray.leaderboard.rows import EvalSetting, Row
from qipo_ray.leaderboard.tables import MEAN, Cell, Column, Table
from qipo_ray.leaderboard.views.common import (
    BOLD,
    MISSING_NOTE,
    SELECTION_NOTE,
    STATISTIC_NOTE,
    aggregate_notes,
    last_checkpoint,
    protocol_cells,
    statistic_scores,
    task_scores,
)

OF_OTHER_COLUMNS = (MISSING_NOTE, SELECTION_NOTE, STATISTIC_NOTE)
MEAN_NOTE = (
    "Mean: over the tasks, each of the same weight; of methods that were run on all of them."
)


def by_paper(setting: EvalSetting, rows: Sequence[Row]) -> Table:
    """Return the table of one data source and protocol with methods as columns."""
    configs, doubled = aggregates(rows)
    tasks = sorted({row.method.task for config in configs for row in config.rows})
    lines: list[tuple[Cell, ...]] = [(task, *task_scores(task, configs)) for task in tasks]
    if len(tasks) > 1:
        means = zip(configs, statistic_scores(configs, "mean"), strict=True)
        lines.append(("mean", *(score if config.complete else None for config, score in means)))
    names = _names(configs)
    return Table(
        title=f"Data source: {setting.origin}",
        caption=last_checkpoint(setting, rows, "half the width of its 95 % interval"),
        source=setting.origin,
        columns=(
            Column("task", "task"),
            *(Column(name, name, parts=MEAN, halved=True) for name in names),
        ),
        rows=tuple(lines),
        notes=(
            BOLD.format("task", ""),
            *([MEAN_NOTE] if len(tasks) > 1 else []),
            *(n for n in aggregate_notes(rows, configs, doubled) if n not in OF_OTHER_COLUMNS),
            *_departures(names, configs),
        ),
        kind="paper",
    )


def _names(configs: Sequence[Aggregate]) -> list[str]:
    """Return what the columns are called: the method, with its configuration if it has several."""
    methods = [config.method.name for config in configs]
    return [
        config.method.name
        if methods.count(config.method.name) == 1
        else f"{config.method.name}, {config.label}"
        for config in configs
    ]


def _departures(names: Sequence[str], configs: Sequence[Aggregate]) -> Iterator[str]:
    """Yield a note for every list of departures, with the columns that have it."""
    columns: defaultdict[str, list[str]] = defaultdict(list)
    for name, config in zip(names, configs, strict=True):
        if config.method.departures:
            columns[str(protocol_cells(config.rows)["departures"])].append(name)
    for departures, titles in columns.items():
        yield f"Departures from the paper, {'; '.join(titles)}: {departures}."
