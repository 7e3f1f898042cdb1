"""A leaderboard as a document: Markdown, HTML, LaTeX for people, CSV, JSON for programs.

Every text that comes from a record is inert in each of them: it is shown, never carried out.
"""

from __future__ import annotations

from qipo_ray.leaderboard.formats.csv import csv_text
from qipo_ray.leaderboard.formats.document import BoardDocument
from qipo_ray.leaderboard.formats.html import html_text
from qipo_ray.leaderboard.formats.json import json_text
from qipo_ray.leaderboard.formats.latex import latex_text
from qipo_ray.leaderboard.formats.markdown import markdown_text

__all__ = ["BoardDocument", "csv_text", "html_text", "json_text", "latex_text", "markdown_text"]
