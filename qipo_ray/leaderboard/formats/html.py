"""HTML: one file without scripts or links, in which every text is escaped by the template."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from qipo_ray.leaderboard.formats.document import NOTHING_TO_REPORT, TITLE, BoardDocument
from qipo_ray.leaderboard.tables import Cell, Column, Score, Table, clean

if TYPE_CHECKING:
    from jinja2 import Environment

LONG = 40  # characters that get a wide column


def html_text(document: BoardDocument) -> str:
    """Return the leaderboard as an HTML page that needs nothing but itself."""
    page = environment().get_template("leaderboard.html")
    return page.render(
        title=TITLE,
        tables=[table_data(table) for table in document.tables],
        notes=document.notes,
        empty=NOTHING_TO_REPORT,
    )


@cache
def environment() -> Environment:
    """Return the templates of the leaderboard; whatever they are given is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("qipo_ray.leaderboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def table_data(table: Table) -> dict[str, object]:
    """Return what ``table.html`` draws; a cell is its text, classes and number to sort by."""
    return {
        "title": clean(table.title),
        "caption": clean(table.caption),
        "columns": [(clean(c.title), _classes(c)) for c in table.document.columns],
        "rows": [[_cell(*cell) for cell in row] for row in table.document.texts],
        "notes": [clean(note) for note in table.notes],
        "footnotes": [(number, clean(note)) for number, note in enumerate(table.footnotes, 1)],
    }


def _cell(column: Column, cell: Cell, text: str) -> tuple[str, str, str]:
    number = cell.value if isinstance(cell, Score) else cell
    sortable = isinstance(number, int | float) and not isinstance(number, bool)
    return text, _classes(column, cell), repr(number) if sortable else ""


def _classes(column: Column, cell: Cell = None) -> str:
    names = ["number"] if column.scores else []
    if column.muted:
        names.append("muted")
    if isinstance(cell, Score) and cell.bold:
        names.append("best")
    elif isinstance(cell, str) and len(cell) > LONG:
        names.append("long")
    return " ".join(names)
