"""By task: one line for each method, with everything that makes its number readable."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from qipo_ray.leaderboard.aggregate import leaders, row_estimates
from qipo_ray.leaderboard.labels import labels
from qipo_ray.leaderboard.rows import EvalSetting, Row
from qipo_ray.leaderboard.statistics import Estimate
from qipo_ray.leaderboard.tables import MEAN, Cell, Column, Noted, Score, Table
from qipo_ray.leaderboard.views.common import (
    BOLD,
    DEPARTURES,
    GENERATED,
    METRIC,
    PROTOCOL,
    data_notes,
    protocol,
    protocol_cells,
    said,
)

COLUMNS = (
    Column("task", "task"),
    Column("method", "method"),
    Column("name", "configuration"),
    DEPARTURES,
    Column("last", "score (last)", parts=MEAN),
    Column("gain", "gain", parts=MEAN, signed=True),
    Column("best", "best (optimistic)", parts=MEAN, muted=True),
    Column("seeds", "seeds"),
    Column("file", "data file", "document"),
    *PROTOCOL,
    Column("best_episodes", "episodes of best", "file"),
)


def by_task(setting: EvalSetting, rows: Sequence[Row]) -> Table:
    """Return the table of one data source and protocol with a line for every row."""
    estimated = row_estimates(rows)
    bold = _bold(rows, estimated)
    noted = data_notes(rows)
    names = labels(row.method for row in rows)
    return Table(
        title=f"Data source: {setting.source}",
        caption=(
            f"{METRIC}. Last checkpoint, mean ± sample standard deviation"
            f" {protocol(setting, rows)}"
        ),
        source=setting.source,
        columns=COLUMNS,
        rows=tuple(
            _cells(row, names[row.method], one, leads, noted)
            for row, one, leads in zip(rows, estimated, bold, strict=True)
        ),
        notes=_notes(setting, rows),
        footnotes=tuple(said(*one) for one in noted),
    )


def _bold(rows: Sequence[Row], estimated: Sequence[Estimate]) -> list[bool]:
    """Say which rows lead: the policies of one task and data file compete."""
    places: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        if row.method.kind != "data":
            places[row.method.task, row.method.dataset].append(place)
    bold = [False] * len(rows)
    for some in places.values():
        for place, leads in zip(some, leaders([estimated[i] for i in some]), strict=True):
            bold[place] = leads
    return bold


def _cells(
    row: Row,
    name: str | None,
    estimated: Estimate,
    bold: bool,
    noted: Sequence[tuple[str, tuple[str, ...]]],
) -> tuple[Cell, ...]:
    cells: dict[str, Cell] = {
        "task": _task(row, noted),
        "method": row.method.name,
        "name": name,
        "last": Score.of(row.last, estimated.interval, bold=bold),
        "gain": Score.of(row.gain),
        "best": Score.of(row.best),
        "seeds": len(row.seeds) or None,
        "file": row.method.dataset[:8],
        "best_episodes": " ".join(map(str, row.best_episodes)) or None,
        **protocol_cells([row]),
    }
    return tuple(cells[column.key] for column in COLUMNS)


def _task(row: Row, noted: Sequence[tuple[str, tuple[str, ...]]]) -> Cell:
    task = row.method.task
    return Noted(task, noted.index((task, row.notes)) + 1) if row.notes else task


def _notes(setting: EvalSetting, rows: Sequence[Row]) -> tuple[str, ...]:
    notes = [BOLD.format("task")]
    if any(row.gain for row in rows):
        notes.append("Gain: score minus that of behaviour cloning in the same run, per seed.")
    counts = sorted({count for row in rows for count in row.best_episodes})
    if counts:
        episodes = " or ".join(map(str, counts))
        notes.append(
            f"Best: the highest evaluation of each run ({episodes} episodes), picked on the very"
            " score it shows: optimistic, not to be compared with other tables."
        )
    if setting.source == "generated":
        notes.append(GENERATED)
    files = {(row.method.task, row.method.dataset) for row in rows}
    for task, number in sorted(Counter(task for task, _ in files).items()):
        if number > 1:
            notes.append(
                f"{task}: {number} data files, each with its own rows; see the documents."
            )
    repeats = sum(row.repeats for row in rows)
    if repeats:
        runs = "1 further run" if repeats == 1 else f"{repeats} further runs"
        notes.append(f"{runs} of a seed that has one: a seed counts once, with its runs' mean.")
    return tuple(notes)
