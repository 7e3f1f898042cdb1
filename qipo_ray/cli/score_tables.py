"""Leaderboard tables on a terminal."""

from __future__ import annotations

from dataclasses import replace
from string import ascii_lowercase

from qipo_ray.cli import output as out
from qipo_ray.leaderboard import Leaderboard
from qipo_ray.leaderboard.tables import Cell, Column, Table, cell_text, clean
from qipo_ray.leaderboard.views.common import BRACKETS, UNSEEN

SHORT = 12  # signs of a list that stays in its column


def print_leaderboard(board: Leaderboard) -> None:
    """Print every table of a leaderboard with its caption and notes, for a terminal."""
    for table in board.tables:
        print_table(table)
    if not board.tables:
        out.write("No finished run to report.")
    for note in (*board.notes, *board.races, *board.open_searches):
        out.write(note)


def print_table(table: Table) -> None:
    """Print one leaderboard table: title, caption, rows, notes."""
    narrow, letters = _lettered(table.only("everywhere"))
    columns = narrow.columns
    console = out.console()
    console.print(clean(table.title), style="bold")
    console.print(clean(table.caption))
    pairs = [list(zip(columns, row, strict=True)) for row in narrow.rows]
    numbers = [column.scores for column in columns]
    texts = [[cell_text(column, cell, narrow=True) for column, cell in line] for line in pairs]
    out.print_rows(
        [clean(column.title) for column in columns],
        texts,
        numbers,
        styles=[[_style(column, cell) for column, cell in line] for line in pairs],
    )
    for text, letter in letters.items():
        console.print(f"[{letter}] {text}", style="dim")
    scores = [text for line in texts for text, is_one in zip(line, numbers, strict=True) if is_one]
    bracketed = any("[" in text for text in scores)
    for note in table.notes:
        shown = note if bracketed else note.replace(BRACKETS, UNSEEN)
        console.print(clean(shown), style="dim")
    for number, note in enumerate(table.footnotes, 1):
        console.print(f"[{number}] {clean(note)}", style="dim")


def _lettered(table: Table) -> tuple[Table, dict[str, str]]:
    """Return the table with a letter for each long list, and the letters of the lists."""
    letters: dict[str, str] = {}

    def shortened(column: Column, cell: Cell) -> Cell:
        text = cell_text(column, cell)
        if not column.lettered or len(text) <= SHORT:
            return cell
        return letters.setdefault(f"{column.title}: {text}", _letters(len(letters)))

    rows = tuple(
        tuple(shortened(column, cell) for column, cell in zip(table.columns, row, strict=True))
        for row in table.rows
    )
    return replace(table, rows=rows), letters


def _letters(number: int) -> str:
    """Return a, b, ... z, aa, ab, ... for 0, 1, ..."""
    before = _letters(number // 26 - 1) if number >= 26 else ""
    return before + ascii_lowercase[number % 26]


def _style(column: Column, cell: Cell) -> str:
    """Return bold for what leads and dim for what must not be compared."""
    if getattr(cell, "bold", False):
        return "bold"
    return "dim" if column.muted else ""
