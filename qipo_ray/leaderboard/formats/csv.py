"""CSV, for spreadsheets and programs: all digits, and no cell that is a formula."""

from __future__ import annotations

import csv
import io
import re
from functools import lru_cache

from qipo_ray.leaderboard.formats.document import BoardDocument
from qipo_ray.leaderboard.tables import Cell, Column, Score, Table, clean, file_value

# What starts a formula, at the start of a cell or behind a semicolon, which some take for a comma.
_FORMULA = re.compile(r"(?:^|(?<=;))(\s*)(?=[=+\-@＝＋－＠])")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)


def csv_text(document: BoardDocument) -> str:
    """Return all tables as one CSV; scores stand in columns of their source, never mixed.

    The columns of a score are ``<source>_<key>_mean``, ``_std`` and so on, so that no column can
    be averaged over two data sources by accident. ``table`` says which kind of table a row is of;
    in rows of the kind ``note`` the column ``note`` holds a caption or a note.
    """
    tables = document.tables
    header = dict.fromkeys(["table", *(n for table in tables for n in _header(table)), "note"])
    stream = io.StringIO()
    writer = csv.DictWriter(stream, header, restval="", lineterminator="\n")
    writer.writeheader()
    for table in tables:
        names = _header(table)
        for row in table.rows:
            pairs = zip(table.columns, row, strict=True)
            cells = [cell for pair in pairs for cell in _cells(*pair)]
            writer.writerow({"table": table.kind, **dict(zip(names, cells, strict=True))})
        for note in (table.caption, *table.notes, *table.footnotes):
            writer.writerow({"table": "note", "note": _text(f"{table.title}: {note}")})
    for note in document.notes:
        writer.writerow({"table": "note", "note": _text(note)})
    return stream.getvalue()


def guard(value: str) -> str:
    """Return a CSV cell that no spreadsheet takes for a formula; numbers stay numbers."""
    return value if _NUMBER.fullmatch(value) else _FORMULA.sub(r"\1'", value)


def _header(table: Table) -> list[str]:
    """Return the names of a table's columns; a score has several."""
    return [
        _text(f"{table.source}_{column.key}_{part}") if part else column.key
        for column in table.columns
        for part in column.parts or ("",)
    ]


def _cells(column: Column, cell: Cell) -> list[str]:
    if isinstance(cell, Score):
        parts = cell.parts(column.parts).values()
        return ["" if part is None else repr(part) for part in parts]
    if cell is None:
        return [""] * max(1, len(column.parts))
    value = file_value(cell)
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    return [_text(str(value))]


@lru_cache(maxsize=4096)
def _text(value: str) -> str:
    """Return text as a cell; few texts fill many cells."""
    return guard(clean(value))
