"""Leaderboards from records alone: no torch, no Ray, so tables are made on any machine."""

from __future__ import annotations

from qipo_ray.leaderboard.board import Leaderboard, from_records, leaderboard

__all__ = ["Leaderboard", "from_records", "leaderboard"]
