"""Pictures from discs and boxes, for environments in a plane: numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]

PIXELS = 256  # of the longer side
WALL: Colour = (110, 115, 125)
GOAL: Colour = (120, 190, 130)
BODY: Colour = (40, 90, 170)


class Canvas:
    """A white picture of the rectangle between two corners, in an environment's units.

    The first corner is top left, so an axis may point either way.
    """

    def __init__(self, corner: tuple[float, float], opposite: tuple[float, float]) -> None:
        (left, top), (right, bottom) = corner, opposite
        self._pixel = max(abs(right - left), abs(bottom - top)) / PIXELS
        wide, tall = (round(abs(d) / self._pixel) for d in (right - left, bottom - top))
        self._x = left + (right - left) * (np.arange(wide) + 0.5) / wide  # (W,)
        self._y = (top + (bottom - top) * (np.arange(tall) + 0.5) / tall)[:, None]  # (H, 1)
        self._colours = np.full((tall, wide, 3), 255.0)

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """Draw a disc."""
        self._paint(np.hypot(self._x - x, self._y - y) - radius, colour)

    def box(self, x: float, y: float, half: float, colour: Colour) -> None:
        """Draw a square by its middle and half its side; neighbours meet without a seam."""
        outside = np.maximum(abs(self._x - x), abs(self._y - y)) - half
        self._paint(outside - self._pixel / 2, colour)

    def render(self) -> NDArray[np.uint8]:
        """Return the picture ``(H, W, 3)``."""
        return self._colours.round().astype(np.uint8)

    def _paint(self, outside: NDArray[np.float64], colour: Colour) -> None:
        """Paint where the distance to a shape is negative, softly over its edge."""
        share = np.clip(0.5 - outside / self._pixel, 0, 1)[..., None]
        self._colours += share * (np.array(colour) - self._colours)
