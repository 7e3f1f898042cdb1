"""Leaderboard tables on a terminal."""

from __future__ import annotations

from qipo_ray.cli import output as out
from qipo_ray.leaderboard import Leaderboard
from qipo_ray.leaderboard.tables import Cell, Column, Table, cell_text, clean


def print_leaderboard(board: Leaderboard) -> None:
    """Print every table of a leaderboard with its caption and notes, for a terminal."""
    for table in board.tables:
        print_table(table)
    if not board.rows:
        out.write("No finished run to report.")
    for note in (*board.notes, *board.open_searches):
        out.write(note)


def print_table(table: Table) -> None:
    """Print one leaderboard table: title, caption, rows, notes."""
    narrow = table.only("everywhere")
    columns = narrow.columns
    console = out.console()
    console.print(clean(table.title), style="bold")
    console.print(clean(table.caption))
    pairs = [list(zip(columns, row, strict=True)) for row in narrow.rows]
    out.print_rows(
        [clean(column.title) for column in columns],
        [[cell_text(column, cell, narrow=True) for column, cell in line] for line in pairs],
        numbers=[column.scores for column in columns],
        styles=[[_style(column, cell) for column, cell in line] for line in pairs],
    )
    for note in table.notes:
        console.print(clean(note), style="dim")
    for number, note in enumerate(table.footnotes, 1):
        console.print(f"[{number}] {clean(note)}", style="dim")


def _style(column: Column, cell: Cell) -> str:
    """Return bold for what leads and dim for what must not be compared."""
    if getattr(cell, "bold", False):
        return "bold"
    return "dim" if column.muted else ""
