"""By task: one line for each method, with everything that makes its number readable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from qipo_ray.leaderboard.aggregate import row_estimates
from qipo_ray.leaderboard.labels import config_labels
from qipo_ray.leaderboard.rows import EvalSetting, Row
from qipo_ray.leaderboard.tables import MEAN, Cell, Column, Footnoted, Score, Table, counted
from qipo_ray.leaderboard.views.common import (
    BOLD,
    BRACKETS,
    GENERATED,
    NAMES,
    PROTOCOL,
    data_note,
    data_notes,
    last_checkpoint,
    protocol_cells,
    row_scores,
)

Footnotes = Sequence[tuple[str, tuple[str, ...]]]  # tasks with the notes on their data
COLUMNS = (
    Column("task", "task"),
    *NAMES,
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
    labels = config_labels(row.method for row in rows)
    footnotes = data_notes(rows)
    return Table(
        title=f"Data source: {setting.origin}",
        caption=last_checkpoint(setting, rows),
        source=setting.origin,
        columns=COLUMNS,
        rows=tuple(
            _line(row, score, labels[row.method], footnotes)
            for row, score in zip(rows, _scores(rows), strict=True)
        ),
        notes=_notes(setting, rows),
        footnotes=tuple(data_note(*footnote) for footnote in footnotes),
    )


def _scores(rows: Sequence[Row]) -> list[Score | None]:
    """Return each row's score; those of one task and data file compare."""
    pairs = zip(rows, row_estimates(rows), strict=True)
    scores: list[Score | None] = []
    for _, group in groupby(pairs, key=lambda pair: (pair[0].method.task, pair[0].method.dataset)):
        scores += row_scores(*zip(*group, strict=True))
    return scores


def _line(
    row: Row, score: Score | None, label: str | None, footnotes: Footnotes
) -> tuple[Cell, ...]:
    task, notes = row.method.task, row.notes
    if row.stopped is not None:
        label = f"{label}, stopped at rung {row.stopped}"
    cells: dict[str, Cell] = {
        "task": Footnoted(task, footnotes.index((task, notes)) + 1) if notes else task,
        "method": row.method.name,
        "name": label,
        "last": score,
        "gain": Score.from_spread(row.gain),
        "best": Score.from_spread(row.best),
        "seeds": len(row.seeds) or None,
        "file": row.method.dataset[:8],
        "best_episodes": " ".join(map(str, row.best_episodes)) or None,
        **protocol_cells([row]),
    }
    return tuple(cells[column.key] for column in COLUMNS)


def _notes(setting: EvalSetting, rows: Sequence[Row]) -> tuple[str, ...]:
    notes = [BOLD.format("task", BRACKETS)]
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
        runs = counted(repeats, "further run")
        notes.append(f"{runs} of a seed that has one: a seed counts once, with its runs' mean.")
    return tuple(notes)
