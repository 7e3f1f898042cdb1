"""A picture of a data file, as SVG: its returns, and where its states lie."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

import numpy as np
import numpy.typing as npt

from qipo_ray.data.tasks import Task
from qipo_ray.data.transitions import Dataset

BINS = 24
_POINTS = 4000  # states or episodes drawn, at most
_SIDE, _GAP, _TOP = 300, 60, 50  # pixels
_WITH_POSITIONS = ("maze2d", "antmaze", "point")  # tasks whose first two numbers are a place

Values = npt.NDArray[np.floating]


def histogram(returns: Values) -> tuple[npt.NDArray[np.int64], Values]:
    """Return how many returns lie in each of ``BINS`` equal ranges, and the ranges' borders."""
    if returns.min() == returns.max():
        border = float(returns[0])
        return np.histogram(returns, BINS, (border - 0.5, border + 0.5))
    return np.histogram(returns, BINS)


def picture(dataset: Dataset, task: Task) -> str:
    """Return an SVG page: the histogram of returns, and places or returns in the file's order."""
    returns = dataset.episode_returns()
    counts, borders = histogram(returns)
    title = f"{task.id}, source {dataset.source}, {dataset.rows:,} rows, {len(returns):,} episodes"
    width, height = 2 * _SIDE + 3 * _GAP, _SIDE + 2 * _TOP + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{_GAP}" y="22" font-size="14">{escape(title)}</text>',
        *_panel(0, "return of an episode", "episodes", borders[[0, -1]], (0, counts.max())),
        *_bars(counts),
    ]
    if task.family in _WITH_POSITIONS:
        positions = _thinned(dataset.observations[:, :2].astype(np.float64))
        parts += _dots(positions, ("first number of a state", "second number"))
    else:
        order = np.stack([np.arange(len(returns), dtype=np.float64), returns], axis=1)
        parts += _dots(_thinned(order), ("episode", "its return"))
    return "\n".join([*parts, "</svg>", ""])


def _bars(counts: npt.NDArray[np.int64]) -> Iterator[str]:
    wide = _SIDE / len(counts)
    for number, count in enumerate(counts.tolist()):
        tall = _SIDE * count / max(int(counts.max()), 1)
        yield (
            f'<rect x="{_GAP + number * wide:.1f}" y="{_TOP + _SIDE - tall:.1f}" '
            f'width="{wide - 1:.1f}" height="{tall:.1f}" fill="#3b6ea5"/>'
        )


def _dots(points: Values, titles: tuple[str, str]) -> Iterator[str]:
    """Yield the second panel: points ``(P, 2)`` within their own range."""
    low, high = points.min(axis=0), points.max(axis=0)
    yield from _panel(1, *titles, (low[0], high[0]), (low[1], high[1]))
    scaled = (points - low) / np.maximum(high - low, 1e-9)
    left = 2 * _GAP + _SIDE
    for x, y in scaled.tolist():
        yield (
            f'<circle cx="{left + _SIDE * x:.1f}" cy="{_TOP + _SIDE * (1 - y):.1f}" r="1.2" '
            'fill="#3b6ea5" fill-opacity="0.5"/>'
        )


def _panel(position: int, across: str, up: str, xs: Values | tuple, ys: tuple) -> Iterator[str]:
    """Yield a frame with the names and ends of its axes."""
    left, bottom = _GAP + position * (_GAP + _SIDE), _TOP + _SIDE
    square = f'width="{_SIDE}" height="{_SIDE}" fill="none" stroke="#888"'
    yield f'<rect x="{left}" y="{_TOP}" {square}/>'
    yield f'<text x="{left}" y="{bottom + 16}">{float(xs[0]):.4g}</text>'
    yield f'<text x="{left + _SIDE}" y="{bottom + 16}" text-anchor="end">{float(xs[1]):.4g}</text>'
    middle = left + _SIDE / 2
    yield f'<text x="{middle}" y="{bottom + 32}" text-anchor="middle">{escape(across)}</text>'
    yield f'<text x="{left - 4}" y="{bottom}" text-anchor="end">{float(ys[0]):.4g}</text>'
    yield f'<text x="{left - 4}" y="{_TOP + 10}" text-anchor="end">{float(ys[1]):.4g}</text>'
    yield f'<text x="{left}" y="{_TOP - 6}">{escape(up)}</text>'


def _thinned(points: Values) -> Values:
    """Return at most ``_POINTS`` of the points, evenly spread."""
    kept = np.linspace(0, len(points) - 1, min(len(points), _POINTS)).astype(np.int64)
    return points[kept]
