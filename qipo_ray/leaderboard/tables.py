"""The one table type of the leaderboard, and its cells as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from qipo_ray.leaderboard.statistics.bootstrap import Interval
from qipo_ray.leaderboard.statistics.spread import Spread

Visibility = Literal["everywhere", "document", "file"]
Kind = Literal["task", "family", "config", "paper", "comparison", "literature", "offline"]

NOTHING = "–"
MEAN = ("mean", "std", "low", "high", "seeds")  # parts of a score in CSV and JSON
VALUE = ("value", "low", "high")
PRINTED = ("value", "plus_minus")  # as a paper prints it


@dataclass(frozen=True)
class Score:
    """A number with what is known of its uncertainty."""

    value: float
    std: float | None = None  # over training seeds
    interval: Interval | None = None
    seeds: int | None = None
    bold: bool = False  # not told from the best: inside the best's interval

    @classmethod
    def from_spread(
        cls, spread: Spread | None, interval: Interval | None = None, *, bold: bool = False
    ) -> Score | None:
        """Return the mean over seeds as a score; None for no values."""
        if spread is None:
            return None
        return cls(spread.mean, spread.std, interval, spread.count, bold)

    def parts(self, names: Iterable[str]) -> dict[str, float | None]:
        """Return parts such as ``std``, as CSV and JSON name them."""
        low, high = (self.interval.low, self.interval.high) if self.interval else (None, None)
        parts = {"low": low, "high": high, "seeds": self.seeds}
        parts |= {"value": self.value, "mean": self.value, "std": self.std, "plus_minus": self.std}
        return {name: parts[name] for name in names}


@dataclass(frozen=True)
class Footnoted:
    """Text with the number of its footnote."""

    text: str
    note: int


Cell = str | int | bool | Score | Footnoted | None


@dataclass(frozen=True)
class Column:
    """A column: its key in files, its title for people, and its visibility.

    ``everywhere`` is terminal, document and file; ``document`` leaves the terminal out; ``file``
    is CSV and JSON alone: what a document says once, above the table.
    """

    key: str
    title: str
    visibility: Visibility = "everywhere"
    parts: tuple[str, ...] = ()  # of scores; in CSV every data source has columns of its own
    signed: bool = False
    muted: bool = False  # greyed where the format can: not to be compared
    lettered: bool = False  # a long list: on a terminal a letter, explained below the table
    halved: bool = False  # what stands behind ± is half of the interval
    significant: bool = False  # four digits that count, of numbers of any size

    @property
    def scores(self) -> bool:
        """Whether the cells are scores."""
        return bool(self.parts)


@dataclass(frozen=True)
class Table:
    """Rows of one data source and one protocol, with what must be said about them."""

    title: str
    caption: str
    source: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    footnotes: tuple[str, ...] = ()  # number 1 is the first
    kind: Kind = "task"

    def keep(self, names: Sequence[str]) -> Table:
        """Return the table with the columns of these keys or titles alone, in that order."""
        indices = [
            i for name in names for i, c in enumerate(self.columns) if name in (c.key, c.title)
        ]
        return replace(
            self,
            columns=tuple(replace(self.columns[i], visibility="everywhere") for i in indices),
            rows=tuple(tuple(row[i] for i in indices) for row in self.rows),
        )

    def only(self, *visibilities: Visibility) -> Table:
        """Return the table with the columns of these visibilities alone."""
        indices = [i for i, c in enumerate(self.columns) if c.visibility in visibilities]
        return replace(
            self,
            columns=tuple(self.columns[i] for i in indices),
            rows=tuple(tuple(row[i] for i in indices) for row in self.rows),
        )

    @cached_property
    def document(self) -> Table:
        """The table as documents show it."""
        return self.only("everywhere", "document")

    @cached_property
    def texts(self) -> list[list[tuple[Column, Cell, str]]]:
        """The rows: each cell with its column and its text; made once for all formats."""
        lines = (zip(self.columns, row, strict=True) for row in self.rows)
        return [
            [(column, cell, cell_text(column, cell)) for column, cell in line] for line in lines
        ]


def cell_text(column: Column, cell: Cell, *, narrow: bool = False) -> str:
    """Return a cell as people read it: ``mean ± std [low, high]``, a dash for nothing.

    ``narrow`` is for a terminal: no interval beside a standard deviation.
    """
    if cell is None:
        return NOTHING
    if isinstance(cell, Score):
        digits, error = (".4g", ".2g") if column.significant else (".1f", ".1f")
        number = f"{cell.value:+{digits}}" if column.signed else f"{cell.value:{digits}}"
        if column.halved:
            return number + (f" ± {cell.interval.half:{error}}" if cell.interval else "")
        spread = "" if cell.std is None else f" ± {cell.std:{error}}"
        return number + spread + ("" if narrow and spread else _brackets(cell.interval, digits))
    if isinstance(cell, Footnoted):
        return f"{clean(cell.text)} [{cell.note}]"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return clean(str(cell))


def file_value(cell: Cell) -> str | int | bool | None:
    """Return what a file holds of a cell that is no score."""
    if isinstance(cell, Footnoted):
        return cell.text
    if isinstance(cell, Score):
        raise TypeError("a score has parts, and its column must name them")
    return cell


def clean(value: str) -> str:
    """Return text on one line, without signs that steer a terminal or the direction of text."""
    line = " ".join(value.split())
    return line if line.isprintable() else "".join(c for c in line if c.isprintable())


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 run``, ``2 runs``, ``3 processes``."""
    ending = "es" if noun.endswith("ss") else "s"
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}{ending}"


def _brackets(interval: Interval | None, digits: str) -> str:
    return f" [{interval.low:{digits}}, {interval.high:{digits}}]" if interval else ""
