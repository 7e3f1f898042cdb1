"""The leaderboard itself: records in, tables and documents out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any, Literal, get_args

from qipo_ray.data.tasks import NO_ENVIRONMENT
from qipo_ray.errors import UserError, nearest
from qipo_ray.leaderboard.formats import WRITERS, BoardDocument
from qipo_ray.leaderboard.formats.csv import notes_text
from qipo_ray.leaderboard.formats.document import SCHEMA, WRITTEN
from qipo_ray.leaderboard.offline import NOTHING_ROLLED_OUT, is_offline, offline_tables
from qipo_ray.leaderboard.open_searches import open_searches
from qipo_ray.leaderboard.race import race_lines
from qipo_ray.leaderboard.rows import (
    APART,
    NOT_ROLLED_OUT,
    REPORTED,
    Record,
    Row,
    by_setting,
    collect,
)
from qipo_ray.leaderboard.tables import Table, counted
from qipo_ray.leaderboard.views import By, views
from qipo_ray.leaderboard.views.common import METRIC, metric
from qipo_ray.store.records import all_records, gc_paused, unique

Format = Literal["md", "csv", "html", "latex", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)
SUFFIXES = {"latex": "tex"}  # of files, where it is not the format's name


@dataclass(frozen=True)
class Leaderboard:
    """All rows of some results: tables of one data source and one protocol each."""

    rows: tuple[Row, ...]  # of what was rolled out
    left_out: Mapping[str, int]  # records that did not enter, by reason
    by: By | None = None  # how tables are cut; None: by task, then what spans several tasks
    literature: bool = False  # published scores in a table of their own
    records: tuple[str, ...] = ()  # ids of all that it was made of
    open_searches: tuple[str, ...] = ()  # that have not ended; on the screen alone
    races: tuple[str, ...] = ()  # how many report seeds each had, and why; on the screen alone
    columns: tuple[str, ...] = ()  # the ones to show, by key or title; none: those of the view
    schema: int = SCHEMA  # of the files
    offline: tuple[Table, ...] = ()  # of runs whose task has no simulator

    @classmethod
    def load(cls, *results: Path | str) -> Leaderboard:
        """Return the leaderboard of all records below some results folders."""
        return leaderboard(results)

    def to_markdown(self) -> str:
        """Return its tables as Markdown."""
        return self.document("md")

    def to_pandas(self) -> Any:
        """Return its rows as a ``pandas.DataFrame``, with the columns of the CSV."""
        try:
            pandas = import_module("pandas")
        except ImportError:
            raise UserError("to_pandas needs pandas: pip install pandas") from None
        return pandas.read_csv(StringIO(self.document("csv")))

    @cached_property
    def tables(self) -> tuple[Table, ...]:
        """The tables of every data source and protocol, in a fixed order."""
        tables = [
            table
            for setting, rows in by_setting(self.rows)
            for table in views(setting, rows, self.by)
        ]
        tables += self.offline
        if self.literature:
            from qipo_ray.leaderboard.views.published import published_table

            published = published_table(self.rows)
            tables += [published] if published else []
        if self.columns:
            names = dict.fromkeys(n for t in tables for c in t.columns for n in (c.key, c.title))
            for wish in self.columns:
                if wish not in names:
                    allowed = ", ".join(dict.fromkeys(c.key for t in tables for c in t.columns))
                    raise UserError(
                        f"no column {wish!r}{nearest(wish, names)}; there are {allowed}"
                    )
            tables = [table.keep(self.columns) for table in tables]
        return tuple(table for table in tables if table.columns)

    @property
    def _metric(self) -> str:
        metrics = [metric(setting) for setting, _ in by_setting(self.rows)]
        if self.offline:
            metrics.append(NOTHING_ROLLED_OUT)
        return "; ".join(dict.fromkeys(metrics)) or METRIC

    @property
    def notes(self) -> tuple[str, ...]:
        """What holds for the whole leaderboard: the records that were left out, and why."""
        return _left_out_notes(self.left_out)

    def document(self, format: Format) -> str:
        """Return the leaderboard in a format.

        LaTeX is laid out as in papers, unless the view or columns are named.
        """
        chosen = self.by is not None or self.columns
        compact = format == "latex" and not chosen and self.schema > 3
        tables = replace(self, by="paper").tables if compact else self.tables
        return WRITERS[format](self._document(tables))

    def documents(self, formats: Iterable[Format] = FORMATS) -> dict[str, str]:
        """Return the leaderboard in some formats, by the ending of their files.

        The notes of the CSV are a file beside it.
        """
        texts: dict[str, str] = {}
        for name in formats:
            texts[SUFFIXES.get(name, name)] = self.document(name)
            if name == "csv" and self.schema > 3:
                texts["notes.txt"] = notes_text(self._document(self.tables))
        return texts

    def _document(self, tables: tuple[Table, ...]) -> BoardDocument:
        return BoardDocument(
            self._metric, tables, self.notes, self.left_out, self.records, self.schema
        )


def from_records(
    records: Iterable[Record],
    by: By | None = None,
    *,
    literature: bool = False,
    schema: int = SCHEMA,
) -> Leaderboard:
    """Return the leaderboard of records that are already at hand."""
    records = list(records)
    rows, left_out = collect(records)
    if schema < 4:  # which did not tell
        rows = [replace(row, stopped=None) for row in rows]
    ids = tuple(sorted({record["id"] for record in records}))
    apart = [r for r in unique(records).kept if r["purpose"] in REPORTED and is_offline(r)]
    return Leaderboard(
        tuple(rows),
        dict(left_out),
        by,
        literature,
        ids,
        schema=schema,
        offline=tuple(offline_tables(apart)),
    )


def leaderboard(
    roots: Sequence[Path | str], by: By | None = None, *, literature: bool = False
) -> Leaderboard:
    """Return the leaderboard of all records below the given results folders.

    Its files have today's form, but those of a sweep that has older ones.

    Raises:
        UserError: if a folder does not exist or none of them holds a record.
    """
    with gc_paused():
        records = records_below(roots)
        schemas = {written_schema(Path(root) / "leaderboard") for root in roots}
        schema = schemas.pop() if len(schemas) == 1 else SCHEMA
        board = from_records(records, by, literature=literature, schema=schema)
        folders = [*map(Path, roots)]
        return replace(
            board,
            open_searches=open_searches(folders, records),
            races=race_lines(folders, records),
        )


def written_schema(folder: Path) -> int:
    """Return the schema of the tables in a folder; today's if there are none that are kept up."""
    try:
        document = json.loads((folder / "leaderboard.json").read_bytes())
        return document["schema"] if document["schema"] in WRITTEN else SCHEMA
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return SCHEMA


def records_below(roots: Sequence[Path | str]) -> list[Record]:
    """Return the records below some results folders; a run in two of them comes twice.

    Raises:
        UserError: if a folder does not exist or none of them holds a record.
    """
    records: list[Record] = []
    for root in map(Path, roots):
        if not root.is_dir():
            raise UserError(f"{root}: no such folder; expected one that --results named")
        records.extend(all_records(root))
    if not records:
        folders = ", ".join(str(root) for root in roots)
        raise UserError(f"{folders}: no records; expected <run>/records/*.json below it")
    return records


def _left_out_notes(left_out: Mapping[str, int]) -> tuple[str, ...]:
    states = {reason: count for reason, count in left_out.items() if reason != APART}
    copies, differing, searched, unscored, unplayed = (
        states.pop(reason, 0)
        for reason in ("copy", "differing copy", "search", "unscored", NOT_ROLLED_OUT)
    )
    listed = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    notes = (
        (sum(states.values()), "partly trained or failed run", f" ({listed})."),
        (unscored, "finished run", " without a final score."),
        (unplayed, "finished run", f" ({NO_ENVIRONMENT})."),
        (searched, "search run", "; searching is not reporting."),
        (copies, "copied record", ", recognised by id and data."),
        (differing, "earlier attempt", " at a run, with other numbers than the highest attempt,"
         " which counts."),
    )  # fmt: skip
    return tuple(f"Left out: {counted(n, noun)}{end}" for n, noun, end in notes if n)
