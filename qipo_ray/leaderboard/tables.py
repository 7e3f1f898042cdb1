"""One table type and its renderers: Markdown for people, CSV and JSON for programs."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from qipo_ray.leaderboard.statistics import Spread

Cell = str | int | bool | Spread | None
Shown = Literal["everywhere", "document", "file"]

NOTHING = "–"


@dataclass(frozen=True)
class Column:
    """A column: its key in files, its title for people, and where it is shown.

    ``everywhere`` is terminal, document and file; ``document`` leaves the terminal out; ``file``
    is CSV and JSON alone: what a document says once, above the table.
    """

    key: str
    title: str
    shown: Shown = "everywhere"
    scores: bool = False  # cells are Spread; in CSV every data source has columns of its own
    signed: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of one data source and one protocol, with what must be said about them."""

    title: str
    caption: str
    source: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()

    def shown(self, *where: Shown) -> list[int]:
        """Return the indices of the columns shown at one of the places."""
        return [i for i, column in enumerate(self.columns) if column.shown in where]


def text(column: Column, cell: Cell) -> str:
    """Return a cell as people read it: one decimal, ``mean ± std``, a dash for nothing."""
    if cell is None:
        return NOTHING
    if isinstance(cell, Spread):
        number = f"{cell.mean:+.1f}" if column.signed else f"{cell.mean:.1f}"
        return number if cell.std is None else f"{number} ± {cell.std:.1f}"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return str(cell)


def escape_markdown(value: str) -> str:
    """Return text that Markdown shows as it is, on one line of a table."""
    return re.sub(r"([\\|`*_\[\]<>])", r"\\\1", " ".join(value.split()))


def markdown(table: Table) -> str:
    """Return a table as a Markdown section: title, caption, pipe table, notes."""
    shown = table.shown("everywhere", "document")
    columns = [table.columns[i] for i in shown]
    lines = [f"## {escape_markdown(table.title)}", "", escape_markdown(table.caption), ""]
    lines.append(_pipes(escape_markdown(column.title) for column in columns))
    lines.append(_pipes("---:" if column.scores else "---" for column in columns))
    for row in table.rows:
        lines.append(_pipes(escape_markdown(text(table.columns[i], row[i])) for i in shown))
    lines += ["", *(f"- {escape_markdown(note)}" for note in table.notes)]
    return "\n".join(lines).rstrip() + "\n"


def _pipes(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def csv_text(tables: Sequence[Table]) -> str:
    """Return all tables as one CSV; scores stand in columns of their source, never mixed.

    The columns of a score are ``<source>_<key>_mean`` and ``<source>_<key>_std``, so that no
    column can be averaged over two data sources by accident.
    """
    header: list[str] = []
    lines: list[dict[str, str]] = []
    for table in tables:
        names = [name for column in table.columns for name in _csv_names(table, column)]
        header += [name for name in names if name not in header]
        for row in table.rows:
            cells = [c for column, cell in zip(table.columns, row, strict=True)
                     for c in _csv_cells(column, cell)]  # fmt: skip
            lines.append(dict(zip(names, cells, strict=True)))
    out = io.StringIO()
    writer = csv.DictWriter(out, header, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue()


def _csv_names(table: Table, column: Column) -> list[str]:
    if not column.scores:
        return [column.key]
    return [f"{table.source}_{column.key}_{part}" for part in ("mean", "std")]


def _csv_cells(column: Column, cell: Cell) -> list[str]:
    if isinstance(cell, Spread):
        return [repr(cell.mean), "" if cell.std is None else repr(cell.std)]
    if cell is None:
        return ["", ""] if column.scores else [""]
    return [" ".join(guard(text(column, cell)).splitlines())]


def guard(value: str) -> str:
    """Return a CSV cell that no spreadsheet takes for a formula; numbers stay numbers."""
    if not value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return value
    try:
        float(value)
    except ValueError:
        return "'" + value
    return value


def json_rows(table: Table) -> list[dict[str, object]]:
    """Return the rows as plain dictionaries by column key; a score is mean, std and seeds."""
    return [
        {column.key: _plain(cell) for column, cell in zip(table.columns, row, strict=True)}
        for row in table.rows
    ]


def _plain(cell: Cell) -> object:
    if isinstance(cell, Spread):
        return {"mean": cell.mean, "std": cell.std, "seeds": cell.count}
    return cell
