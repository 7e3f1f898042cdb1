"""Rows of cells laid out in columns, no wider than the screen: thousands of rows in no time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import zip_longest

from rich.cells import cell_len, chop_cells
from rich.text import Text

GAP = "  "  # between columns
NARROWEST = 8  # signs that a column of text keeps


def laid_out(
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    numbers: Sequence[bool],
    styles: Sequence[Sequence[str]],
    width: int,
) -> Text:
    """Return a table of at most ``width`` signs: titles, a line, rows.

    Columns of ``numbers`` are aligned right and never broken; text is folded where they must
    be. ``styles`` are those of the cells, none for none.
    """
    widths = _widths([titles, *rows], numbers, width)
    table = Text()
    _add(table, _lines(titles, widths, numbers), ["bold"] * len(titles))
    table.append("─" * (sum(widths) + len(GAP) * (len(widths) - 1)) + "\n")
    for row, looks in zip_longest(rows, styles, fillvalue=[""] * len(titles)):
        _add(table, _lines(row, widths, numbers), looks)
    return table


def _widths(rows: Sequence[Sequence[str]], numbers: Sequence[bool], width: int) -> list[int]:
    """Return the columns' widths; where they do not fit, the widest columns of text give way."""
    widths = [max(map(_length, column)) for column in zip(*rows, strict=True)]
    room = width - len(GAP) * (len(widths) - 1)
    text_columns = [i for i, number in enumerate(numbers) if not number]
    while sum(widths) > room and text_columns:
        widest = max(text_columns, key=lambda i: widths[i])
        if widths[widest] <= NARROWEST:
            break
        widths[widest] -= 1
    return widths


def _lines(
    row: Sequence[str], widths: Sequence[int], numbers: Sequence[bool]
) -> Iterator[list[str]]:
    """Yield the lines of a row, every cell as wide as its column."""
    folded = [_folded(cell, width) for cell, width in zip(row, widths, strict=True)]
    for parts in zip_longest(*folded, fillvalue=""):
        yield [
            " " * (width - _length(part)) + part if number else _padded(part, width)
            for part, width, number in zip(parts, widths, numbers, strict=True)
        ]


def _padded(part: str, width: int) -> str:
    return part + " " * (width - _length(part))


@lru_cache(maxsize=4096)
def _length(part: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return cell_len(part)


@lru_cache(maxsize=4096)
def _folded(cell: str, width: int) -> tuple[str, ...]:
    """Return a cell in lines of at most ``width``, broken between words where that is possible."""
    if _length(cell) <= width:
        return (cell,)
    lines = [""]
    for word in cell.split(" "):
        longer = f"{lines[-1]} {word}".lstrip()
        if _length(longer) <= width:
            lines[-1] = longer
        else:
            lines += chop_cells(word, width)
    return tuple(line for line in lines if line)


def _add(table: Text, lines: Iterator[list[str]], looks: Sequence[str]) -> None:
    """Add the lines of one row in the looks of its cells."""
    for line in lines:
        if any(looks):
            for i, (part, look) in enumerate(zip(line, looks, strict=True)):
                table.append((GAP if i else "") + part, look or None)
            table.append("\n")
        else:
            table.append(GAP.join(line).rstrip() + "\n")
