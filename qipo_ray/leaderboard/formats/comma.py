"""CSV, for spreadsheets and programs: all digits, and no cell that is a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

from qipo_ray.leaderboard.tables import Cell, Column, Score, Table, clean, plain

# What starts a formula, at the start of a cell or behind a semicolon, which some take for a comma.
_FORMULA = re.compile(r"(?:^|(?<=;))(\s*)(?=[=+\-@＝＋－＠])")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)


def csv_text(tables: Sequence[Table]) -> str:
    """Return all tables as one CSV; scores stand in columns of their source, never mixed.

    The columns of a score are ``<source>_<key>_mean``, ``_std`` and so on, so that no column can
    be averaged over two data sources by accident. ``table`` says which kind of table a row is of.
    """
    header = ["table"]
    lines: list[dict[str, str]] = []
    for table in tables:
        names = [name for column in table.columns for name in _names(table, column)]
        known = set(header)
        header += [name for name in names if name not in known]
        for row in table.rows:
            cells = [c for column, cell in zip(table.columns, row, strict=True)
                     for c in _cells(column, cell)]  # fmt: skip
            lines.append({"table": table.kind} | dict(zip(names, cells, strict=True)))
    out = io.StringIO()
    writer = csv.DictWriter(out, header, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue()


def guard(value: str) -> str:
    """Return a CSV cell that no spreadsheet takes for a formula; numbers stay numbers."""
    return value if _NUMBER.fullmatch(value) else _FORMULA.sub(r"\1'", value)


def _names(table: Table, column: Column) -> list[str]:
    if not column.scores:
        return [column.key]
    return [guard(clean(f"{table.source}_{column.key}_{part}")) for part in column.parts]


def _cells(column: Column, cell: Cell) -> list[str]:
    if isinstance(cell, Score):
        found = [cell.part(part) for part in column.parts]
        return ["" if value is None else repr(value) for value in found]
    if cell is None:
        return [""] * max(1, len(column.parts))
    held = plain(cell)
    if isinstance(held, bool):
        return ["yes" if held else "no"]
    return [guard(clean(str(held)))]
