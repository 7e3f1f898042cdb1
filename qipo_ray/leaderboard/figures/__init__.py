"""Pictures of results, as SVG and PNG; drawn without a display, from records alone."""

from __future__ import annotations

from qipo_ray.leaderboard.figures.canvas import Picture, looks
from qipo_ray.leaderboard.figures.gallery import Room, gallery
from qipo_ray.leaderboard.figures.intervals import intervals

__all__ = ["Picture", "Room", "gallery", "intervals", "looks"]
