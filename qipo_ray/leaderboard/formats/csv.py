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
    """Return all tables as one CSV, with the same columns whatever the source of the data.

    ``table`` says which kind of table a row is of, ``data`` the source of its scores: those of two
    do not compare. The columns of a score are ``<key>_mean``, ``_std`` and so on. Captions and
    notes are a file of their own. In schema 3 they are rows of the kind ``note``, and the columns
    of scores begin with their source.
    """
    tables, old = document.tables, document.schema < 4
    first, last = (["table"], ["note"]) if old else (["table", "data"], [])
    names = {table: _header(table, source=old) for table in tables}
    header = dict.fromkeys([*first, *(n for table in tables for n in names[table]), *last])
    stream = io.StringIO()
    writer = csv.DictWriter(stream, header, restval="", lineterminator="\n")
    writer.writeheader()
    for table in tables:
        kind = {"table": table.kind} | ({} if old else {"data": _text(table.source)})
        for row in table.rows:
            pairs = zip(table.columns, row, strict=True)
            cells = [cell for pair in pairs for cell in _cells(*pair)]
            writer.writerow({**kind, **dict(zip(names[table], cells, strict=True))})
        for note in _notes(table) if old else ():
            writer.writerow({"table": "note", "note": _text(note)})
    for note in document.notes if old else ():
        writer.writerow({"table": "note", "note": _text(note)})
    return stream.getvalue()


def notes_text(document: BoardDocument) -> str:
    """Return what the CSV does not hold, a line for each caption and note."""
    notes = [note for table in document.tables for note in _notes(table)]
    return "".join(f"{clean(note)}\n" for note in (*notes, *document.notes))


def _notes(table: Table) -> list[str]:
    texts = (table.caption, *table.notes, *table.footnotes)
    return [f"{table.title}: {text}" for text in texts]


def guard(value: str) -> str:
    """Return a CSV cell that no spreadsheet takes for a formula; numbers stay numbers."""
    return value if _NUMBER.fullmatch(value) else _FORMULA.sub(r"\1'", value)


def _header(table: Table, *, source: bool) -> list[str]:
    """Return the names of a table's columns; a score has several, perhaps with its source."""
    before = f"{table.source}_" if source else ""
    return [
        _text(f"{before}{column.key}_{part}") if part else column.key
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
