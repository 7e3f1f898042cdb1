"""JSON, for programs: every number with all its digits, by the keys of the columns."""

from __future__ import annotations

import json

from qipo_ray import __version__
from qipo_ray.leaderboard.formats.document import Document
from qipo_ray.leaderboard.tables import Cell, Column, Score, Table, plain

SCHEMA = 2  # of the document; 1 had neither intervals nor kinds of tables


def json_text(document: Document) -> str:
    """Return the leaderboard as a JSON document."""
    tables = [
        {
            "kind": table.kind,
            "title": table.title,
            "source": table.source,
            "rows": rows(table),
        }
        for table in document.tables
    ]
    whole = {
        "schema": SCHEMA,
        "version": __version__,  # of the program that wrote it
        "metric": document.metric,
        "tables": tables,
        "left_out": dict(sorted(document.left_out.items())),
        "records": document.records,
    }
    return json.dumps(whole, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def rows(table: Table) -> list[dict[str, object]]:
    """Return the rows as dictionaries by column key; a score is one of its parts."""
    return [
        {column.key: _plain(column, cell) for column, cell in zip(table.columns, row, strict=True)}
        for row in table.rows
    ]


def _plain(column: Column, cell: Cell) -> object:
    if isinstance(cell, Score):
        return {part: cell.part(part) for part in column.parts} | {"bold": cell.bold}
    return plain(cell)
