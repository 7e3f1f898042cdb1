"""LaTeX, for papers: a booktabs table for each table, to be taken in with input."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from textwrap import wrap

from qipo_ray.leaderboard.formats.document import NOTHING_TO_REPORT, BoardDocument
from qipo_ray.leaderboard.tables import Cell, Column, Score, Table, clean

TITLE_SIGNS = 9  # of a column, before it is broken
HEAD = """\
% \\usepackage{booktabs,graphicx,xcolor}
% Names beyond Latin script need LuaLaTeX or XeLaTeX.
"""
_SPECIAL = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"{\char34}",
    "`": r"\textasciigrave{}", "±": r"$\pm$", "–": "--", "−": "$-$",
    **{sign: "\\" + sign for sign in "{}$&#_%"},
}  # fmt: skip
_LIGATURES = r"(?<=-)-|(?<=')'|(?<=,),"  # of two, the second stands alone
_NEEDS = re.compile("|".join([*map(re.escape, _SPECIAL), _LIGATURES]))


def latex_text(document: BoardDocument) -> str:
    """Return the leaderboard as LaTeX: a ``table*`` for each table, notes below the rows.

    It has the label ``tab:qipo-1`` and so on; in schema 3 only where it is laid out as in papers.
    """
    parts = [HEAD]
    for number, table in enumerate(document.tables, 1):
        labelled = document.schema > 3 or table.kind == "paper"
        parts.append(_table(table, rf"\label{{tab:qipo-{number}}}" if labelled else None))
    if not document.tables:
        parts.append(f"{NOTHING_TO_REPORT}\n")
    parts += [f"% {clean(note)}\n" for note in document.notes]
    return "\n".join(parts)


@lru_cache(maxsize=4096)  # few texts fill many cells
def escape(value: str) -> str:
    """Return text that LaTeX sets as it is."""
    return _NEEDS.sub(lambda match: _SPECIAL.get(match[0], f"{{{match[0]}}}"), clean(value))


def _table(table: Table, label: str | None) -> str:
    columns, texts = table.document.columns, table.document.texts
    grid = [[_muted(column, escape(column.title)) for column in columns]]
    grid += [[_cell(*cell) for cell in row] for row in texts]
    sides = "".join("r" if column.scores else "l" for column in columns)
    if table.kind == "paper" and len(columns) > len(grid):  # the longer side goes down the page
        grid = [list(line) for line in zip(*grid, strict=True)]
        grid[0][0], sides = "method", "l" + "r" * (len(grid[0]) - 1)
    elif table.kind == "paper":
        grid[0] = [_stacked(column.title) for column in columns]
    lines = [
        r"\begin{table*}",
        r"\centering",
        rf"\caption{{{escape(f'{table.title}. {table.caption}')}}}",
        *([label] if label else []),
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{sides}}}",
        r"\toprule",
        _row(grid[0]),
        r"\midrule",
        *map(_row, grid[1:]),
        r"\bottomrule",
        r"\end{tabular}}",
        *_notes(table),
        r"\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def _stacked(title: str) -> str:
    """Return a long title in several lines."""
    broken = wrap(clean(title), TITLE_SIGNS, break_long_words=False)
    lines = [_guarded(escape(line)) for line in broken]
    return lines[0] if len(lines) == 1 else r"\shortstack[r]{" + r"\\".join(lines) + "}"


def _notes(table: Table) -> list[str]:
    numbered = [f"[{number}] {note}" for number, note in enumerate(table.footnotes, 1)]
    notes = [*table.notes, *numbered]
    return [rf"\par\smallskip\footnotesize\raggedright {escape(note)}\par" for note in notes]


def _cell(column: Column, cell: Cell, text: str) -> str:
    source = escape(text)
    if isinstance(cell, Score):
        source = source.replace("-", "$-$")
        if cell.bold:
            return rf"\textbf{{{source}}}"
    return _muted(column, source)


def _muted(column: Column, source: str) -> str:
    return rf"\textcolor{{gray}}{{{source}}}" if column.muted else source


def _row(cells: Iterable[str]) -> str:
    return _guarded(" & ".join(cells) + r" \\")


def _guarded(line: str) -> str:
    """Return a line; what would be an option of the one above gets something before it."""
    return "{}" + line if line.startswith(("[", "*")) else line
