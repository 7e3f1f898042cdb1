"""The leaderboard itself: rows become tables with the header that makes them readable."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from qipo_ray.errors import UserError
from qipo_ray.leaderboard.rows import Record, Row, Setting, collect
from qipo_ray.leaderboard.tables import Cell, Column, Table, csv_text, json_rows, markdown
from qipo_ray.store.records import read_records

SCHEMA = 1  # of the JSON
METRIC = "D4RL-normalised score: 0 and 100 are the task's two reference returns, more is better"

COLUMNS = (
    Column("task", "task"),
    Column("method", "method"),
    Column("name", "configuration"),
    Column("departures", "departures"),
    Column("last", "score (last)", scores=True),
    Column("gain", "gain", scores=True, signed=True),
    Column("best", "best (optimistic)", scores=True),
    Column("seeds", "seeds"),
    Column("file", "data file", "document"),
    Column("episodes", "episodes", "document"),
    Column("sampler", "sampler", "document"),
    Column("steps", "evaluations per action", "document"),
    Column("selection_episodes", "selection episodes", "document"),
    Column("source", "source", "file"),
    Column("dataset", "dataset SHA-256", "file"),
    Column("config", "configuration hash", "file"),
    Column("seed_list", "training seeds", "file"),
    Column("best_episodes", "episodes of best", "file"),
    Column("env_seeds", "environment seeds", "file"),
    Column("best_of", "actions drawn per state", "file"),
    Column("clip", "actions clipped", "file"),
)


@dataclass(frozen=True)
class Leaderboard:
    """All rows of some results: one table per data source and protocol."""

    rows: tuple[Row, ...]
    left_out: Mapping[str, int]  # records that did not enter, by reason

    @property
    def tables(self) -> tuple[Table, ...]:
        """One table per data source and protocol, in a fixed order."""
        groups = groupby(self.rows, key=lambda row: row.method.setting)
        return tuple(_table(setting, list(rows)) for setting, rows in groups)

    @property
    def notes(self) -> tuple[str, ...]:
        """What holds for the whole leaderboard: the records that were left out, and why."""
        return _left_out_notes(self.left_out)

    def markdown(self) -> str:
        """Return the leaderboard as a Markdown document."""
        parts = ["# Leaderboard\n", *(markdown(table) for table in self.tables)]
        if not self.rows:
            parts.append("No finished run to report.\n")
        if self.notes:
            parts.append("".join(f"- {note}\n" for note in self.notes))
        return "\n".join(parts)

    def csv(self) -> str:
        """Return every row as CSV; scores of different sources stand in different columns."""
        return csv_text(self.tables)

    def json(self) -> str:
        """Return the leaderboard as a JSON document."""
        tables = [
            {"title": table.title, "source": table.source, "rows": json_rows(table)}
            for table in self.tables
        ]
        document = {
            "schema": SCHEMA,
            "metric": METRIC,
            "tables": tables,
            "left_out": dict(sorted(self.left_out.items())),
        }
        return json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def from_records(records: Iterable[Record]) -> Leaderboard:
    """Return the leaderboard of records that are already at hand."""
    rows, left_out = collect(records)
    return Leaderboard(tuple(rows), dict(left_out))


def leaderboard(roots: Sequence[Path | str]) -> Leaderboard:
    """Return the leaderboard of all records below the given results folders.

    Raises:
        UserError: if a folder does not exist or none of them holds a record.
    """
    records: list[Record] = []
    for root in map(Path, roots):
        if not root.is_dir():
            raise UserError(f"{root}: no such folder; expected one that --results named")
        records.extend(read_records(root))
    if not records:
        where = ", ".join(str(root) for root in roots)
        raise UserError(f"{where}: no records; expected <run>/records/*.json below it")
    return from_records(records)


def _table(setting: Setting, rows: list[Row]) -> Table:
    return Table(
        title=f"Data source: {setting.source}",
        caption=_caption(setting, rows),
        source=setting.source,
        columns=COLUMNS,
        rows=tuple(_cells(row) for row in rows),
        notes=_notes(setting, rows),
    )


def _caption(setting: Setting, rows: list[Row]) -> str:
    seeds = sorted({seed for row in rows for seed in row.seeds})
    actions = "one action" if setting.best_of == 1 else f"the best of {setting.best_of} actions"
    clipped = "clipped to [-1, 1]" if setting.clip else "not clipped"
    return (
        f"{METRIC}. Last checkpoint, mean ± sample standard deviation over training seeds"
        f" ({', '.join(map(str, seeds))}). Protocol: {setting.episodes} episodes per run,"
        f" environment seeds {setting.env_seeds}, {actions} per state, {clipped}."
    )


def _cells(row: Row) -> tuple[Cell, ...]:
    method = row.method
    paper = "none" if method.kind == "qipo" else None
    cells: dict[str, Cell] = {
        "task": method.task,
        "method": method.name,
        "departures": ", ".join(method.departures) or paper,
        "name": method.preset or (method.config or "")[:8] or None,
        "file": method.dataset[:8],
        "last": row.last,
        "gain": row.gain,
        "best": row.best,
        "seeds": len(row.seeds) or None,
        "episodes": method.episodes,
        "sampler": method.sampler,
        "steps": method.steps,
        "selection_episodes": method.selection_episodes,
        "source": method.setting.source,
        "dataset": method.dataset,
        "config": method.config,
        "seed_list": " ".join(map(str, row.seeds)) or None,
        "best_episodes": " ".join(map(str, row.best_episodes)) or None,
        "env_seeds": method.setting.env_seeds,
        "best_of": method.setting.best_of,
        "clip": method.setting.clip,
    }
    return tuple(cells[column.key] for column in COLUMNS)


def _notes(setting: Setting, rows: list[Row]) -> tuple[str, ...]:
    notes = []
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
        notes.append("Generated data: not comparable with published scores on D4RL's own files.")
    files = {(row.method.task, row.method.dataset) for row in rows}
    for task, number in sorted(Counter(task for task, _ in files).items()):
        if number > 1:
            notes.append(
                f"{task}: {number} data files, each with its own rows; see the documents."
            )
    repeats = sum(row.repeats for row in rows)
    if repeats:
        runs = _count(repeats, "further run")
        notes.append(f"{runs} of a seed that has one: a seed counts once, with its runs' mean.")
    return tuple(notes)


def _left_out_notes(left_out: Mapping[str, int]) -> tuple[str, ...]:
    counts = dict(left_out)
    notes = []
    copies, searched, unscored = (counts.pop(key, 0) for key in ("copy", "search", "unscored"))
    if counts:
        states = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
        failed = _count(sum(counts.values()), "partly trained or failed run")
        notes.append(f"Left out: {failed} ({states}).")
    if unscored:
        notes.append(f"Left out: {_count(unscored, 'finished run')} without a final score.")
    if searched:
        notes.append(f"Left out: {_count(searched, 'search run')}; searching is not reporting.")
    if copies:
        notes.append(f"Left out: {_count(copies, 'copied record')}, recognised by the id.")
    return tuple(notes)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
