"""LaTeX, for papers: a booktabs table for each table, to be taken in with input."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from qipo_ray.leaderboard.formats.document import NOTHING_TO_REPORT, BoardDocument
from qipo_ray.leaderboard.tables import Cell, Column, Score, Table, clean

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
    """Return the leaderboard as LaTeX: a ``table*`` for each table, notes below the rows."""
    parts = [HEAD, *(_table(i, table) for i, table in enumerate(document.tables, 1))]
    if not document.tables:
        parts.append(f"{NOTHING_TO_REPORT}\n")
    parts += [f"% {clean(note)}\n" for note in document.notes]
    return "\n".join(parts)


@lru_cache(maxsize=4096)  # few texts fill many cells
def escape(value: str) -> str:
    """Return text that LaTeX sets as it is."""
    return _NEEDS.sub(lambda match: _SPECIAL.get(match[0], f"{{{match[0]}}}"), clean(value))


def _table(number: int, table: Table) -> str:
    columns = table.document.columns
    lines = [
        r"\begin{table*}",
        r"\centering",
        rf"\caption{{{escape(f'{table.title}. {table.caption}')}}}",
        *([rf"\label{{tab:qipo-{number}}}"] if table.kind == "paper" else []),
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{''.join('r' if column.scores else 'l' for column in columns)}}}",
        r"\toprule",
        _row(_muted(column, escape(column.title)) for column in columns),
        r"\midrule",
        *(_row(_cell(*cell) for cell in row) for row in table.document.texts),
        r"\bottomrule",
        r"\end{tabular}}",
        *_notes(table),
        r"\end{table*}",
    ]
    return "\n".join(lines) + "\n"


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
    """Return a row; what would be an option of the line above gets something before it."""
    row = " & ".join(cells) + r" \\"
    return "{}" + row if row.startswith(("[", "*")) else row
