"""Pictures of results, as SVG and PNG; drawn without a display, from records alone."""

from __future__ import annotations

from qipo_ray.leaderboard.figures.drawing import Picture, looks
from qipo_ray.leaderboard.figures.gallery import FigureGroup, gallery
from qipo_ray.leaderboard.figures.intervals import intervals

__all__ = ["Picture", "FigureGroup", "gallery", "intervals", "looks"]
