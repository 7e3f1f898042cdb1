"""Figures of results, as SVG and PNG; drawn without a display, from records alone."""

from __future__ import annotations

from qipo_ray.leaderboard.figures.drawing import ReportFigure, line_styles
from qipo_ray.leaderboard.figures.gallery import FigureGroup, gallery
from qipo_ray.leaderboard.figures.intervals import intervals

__all__ = ["FigureGroup", "ReportFigure", "gallery", "intervals", "line_styles"]
