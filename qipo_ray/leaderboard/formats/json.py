"""JSON, for programs: every number with all its digits, by the keys of the columns."""

from __future__ import annotations

import json

from qipo_ray.leaderboard.formats.document import BoardDocument
from qipo_ray.leaderboard.tables import Cell, Column, Score, Table, file_value
from qipo_ray.version import __version__


def json_text(document: BoardDocument) -> str:
    """Return the leaderboard as a JSON document, a line for each row of a table."""
    head = {
        "schema": document.schema,
        "version": __version__,  # of the program that wrote it
        "metric": document.metric,
        "left_out": dict(sorted(document.left_out.items())),
        "notes": document.notes,
        "records": document.records,
    }
    tables = ",\n".join(map(_table, document.tables))
    return f'{_dumps(head)[:-1]},\n"tables": [\n{tables}\n]}}\n'


def _table(table: Table) -> str:
    head = {
        "kind": table.kind,
        "title": table.title,
        "caption": table.caption,
        "source": table.source,
        "notes": table.notes,
        "footnotes": table.footnotes,
    }
    lines = ",\n".join(map(_dumps, json_rows(table)))
    return f'{_dumps(head)[:-1]},\n"rows": [\n{lines}\n]}}'


def json_rows(table: Table) -> list[dict[str, object]]:
    """Return the rows as dictionaries by column key; a score is one of its parts."""
    return [
        {
            column.key: _json_value(column, cell)
            for column, cell in zip(table.columns, row, strict=True)
        }
        for row in table.rows
    ]


def _json_value(column: Column, cell: Cell) -> object:
    if isinstance(cell, Score):
        return {**cell.parts(column.parts), "bold": cell.bold}
    return file_value(cell)


def _dumps(value: object) -> str:
    return json.dumps(value, allow_nan=False, ensure_ascii=False)
