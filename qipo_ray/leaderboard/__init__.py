"""Leaderboards from records alone: no torch, no Ray, so tables are made on any machine."""

from __future__ import annotations

from qipo_ray.leaderboard.board import Leaderboard, from_records, leaderboard
from qipo_ray.leaderboard.rows import Row
from qipo_ray.leaderboard.statistics.spread import Spread
from qipo_ray.leaderboard.tables import Column, Score, Table
from qipo_ray.leaderboard.views import By
from qipo_ray.study.selection import PAPER

__all__ = [
    "PAPER",
    "By",
    "Column",
    "Leaderboard",
    "Row",
    "Score",
    "Spread",
    "Table",
    "from_records",
    "leaderboard",
]
