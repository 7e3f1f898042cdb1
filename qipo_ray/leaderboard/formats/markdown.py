"""Markdown, for people and for repositories: pipe tables in which names stay text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from qipo_ray.leaderboard.formats.document import NOTHING_TO_REPORT, TITLE, BoardDocument
from qipo_ray.leaderboard.tables import Cell, Score, Table, clean


def markdown_text(document: BoardDocument) -> str:
    """Return the leaderboard as a Markdown document."""
    parts = [f"# {TITLE}\n", *map(section, document.tables)]
    if not document.tables:
        parts.append(f"{NOTHING_TO_REPORT}\n")
    if document.notes:
        parts.append(_bullets(document.notes))
    return "\n".join(parts)


def section(table: Table) -> str:
    """Return a table as a Markdown section: title, caption, pipe table, notes, footnotes."""
    columns = table.document.columns
    lines = [f"## {escape(table.title)}", "", _prose(table.caption), ""]
    lines.append(_pipes(escape(column.title) for column in columns))
    lines.append(_pipes("---:" if column.scores else "---" for column in columns))
    lines += [_pipes(_cell(cell, text) for _, cell, text in row) for row in table.document.texts]
    lines += ["", _bullets(table.notes)]
    lines += [f"\\[{number}\\] {escape(note)}\n" for number, note in enumerate(table.footnotes, 1)]
    return "\n".join(lines).rstrip() + "\n"


@lru_cache(maxsize=4096)  # few texts fill many cells
def escape(value: str) -> str:
    """Return text that Markdown shows as it is, on one line; addresses do not become links."""
    line = re.sub(r"([\\|`*_\[\]<>&~$#!])", r"\\\1", clean(value))
    return re.sub(r"(?i)(:(?=//)|(?<=mailto):|(?<=xmpp):|(?<=\bwww)\.|@)", r"\\\1", line)


def _cell(cell: Cell, text: str) -> str:
    line = escape(text)
    return f"**{line}**" if isinstance(cell, Score) and cell.bold else line


def _prose(value: str) -> str:
    """Return text that may start a line: what would start a list or a rule there does not."""
    return re.sub(r"^(?:(?=[-+=])|(\d+)(?=[.)]))", r"\1\\", escape(value))


def _bullets(notes: Iterable[str]) -> str:
    return "".join(f"- {_prose(note)}\n" for note in notes)


def _pipes(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
