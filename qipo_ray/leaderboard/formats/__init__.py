"""A leaderboard as a document: Markdown, HTML, LaTeX for people, CSV, JSON for programs.

Every text that comes from a record is inert in each of them: it is shown, never carried out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from qipo_ray.leaderboard.formats.csv import csv_text
from qipo_ray.leaderboard.formats.document import BoardDocument
from qipo_ray.leaderboard.formats.html import html_text
from qipo_ray.leaderboard.formats.json import json_text
from qipo_ray.leaderboard.formats.latex import latex_text
from qipo_ray.leaderboard.formats.markdown import markdown_text

__all__ = ["WRITERS", "BoardDocument"]

WRITERS: Mapping[str, Callable[[BoardDocument], str]] = {
    "md": markdown_text,
    "csv": csv_text,
    "html": html_text,
    "latex": latex_text,
    "json": json_text,
}
