"""What the verbs print: tables on stdout, remarks on stderr."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from qipo_ray.leaderboard import Column, Leaderboard, Table
    from qipo_ray.leaderboard.tables import Cell

PIPE_WIDTH = 140  # columns, where stdout is no terminal and COLUMNS is not set


class Invocation:
    """The command that this process carries out, as a record names it."""

    command = "qipo-ray"


invoked = Invocation()


def remark(words: str) -> None:
    """Print a line for people on stderr, so that stdout holds the result alone."""
    sys.stderr.write(words + "\n")


def write(words: str) -> None:
    """Print a document on stdout as it is."""
    sys.stdout.write(words if words.endswith("\n") else words + "\n")


def print_leaderboard(board: Leaderboard) -> None:
    """Print every table of a leaderboard with its caption and notes, for a terminal."""
    for table in board.tables:
        print_table(table)
    if not board.rows:
        write("No finished run to report.")
    for note in board.notes:
        write(note)


def print_table(table: Table) -> None:
    """Print one leaderboard table: title, caption, rows, notes."""
    from qipo_ray.leaderboard.tables import clean, text

    shown = table.shown("everywhere")
    columns = [table.columns[i] for i in shown]
    console = _console()
    console.print(clean(table.title), style="bold")
    console.print(clean(table.caption))
    print_rows(
        [clean(column.title) for column in columns],
        [[text(table.columns[i], row[i], narrow=True) for i in shown] for row in table.rows],
        numbers=[column.scores for column in columns],
        styles=[[_style(table.columns[i], row[i]) for i in shown] for row in table.rows],
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


def print_rows(
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    numbers: Sequence[bool],
    styles: Sequence[Sequence[str]] = (),
) -> None:
    """Print rows under titles; columns of numbers are aligned right and never broken."""
    from qipo_ray.cli.text_table import laid_out

    console = _console()
    console.print()
    console.print(laid_out(titles, rows, numbers, styles, console.width), soft_wrap=True)


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function (done, total) that draws a bar with the time left, on stderr."""
    from rich.console import Console
    from rich.progress import Progress

    hidden = not sys.stderr.isatty()
    with Progress(console=Console(stderr=True), transient=True, disable=hidden) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class Live:
    """Progress of long work on stderr: a bar on a terminal, plain lines now and then elsewhere."""

    EVERY_S = 15.0  # between plain lines

    def __init__(self, label: str, bar: Progress | None) -> None:
        self.label, self.bar = label, bar
        self.task = bar.add_task(label, total=1.0, left="", where="") if bar else None
        self.last = time.monotonic()

    def update(self, share: float, seconds_left: float | None, where: str) -> None:
        """Show the share that is done, the time left, and what is being done."""
        left = "" if seconds_left is None else f"ETA {_minutes(seconds_left)}"
        if self.bar is not None and self.task is not None:
            self.bar.update(self.task, completed=share, left=left, where=where)
        elif time.monotonic() - self.last >= self.EVERY_S:
            self.last = time.monotonic()
            remark(f"{self.label}: {100 * share:.0f} %, {left or 'no ETA yet'}, {where}")

    def line(self, words: str) -> None:
        """Print a line that stays."""
        if self.bar is not None:
            self.bar.console.print(words, highlight=False, markup=False)
        else:
            remark(words)


@contextmanager
def live(label: str) -> Iterator[Live]:
    """Yield a view of long work."""
    if not sys.stderr.isatty():
        yield Live(label, None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[left]}"),
        TextColumn("{task.fields[where]}", style="dim"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield Live(label, bar)


def _minutes(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


def _console() -> Console:
    from rich.console import Console

    wide = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if wide else PIPE_WIDTH, highlight=False, markup=False, emoji=False)
