"""The mazes of D4RL's maze2d, and what can be asked of one.

A position is in cells: (row, column). Walls stand 0.2 below the cells that they fill, so a free
cell reaches from -0.7 to +0.3 around its numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Cell = tuple[int, int]

GOAL_RADIUS = 0.5  # cells
START_JITTER = 0.1  # half width of the uniform noise on a start or target position
WALL_SHIFT = 0.2  # of the walls against the cells


@dataclass(frozen=True)
class Maze:
    """One maze: ``#`` is wall, ``.`` free, ``G`` the goal of the evaluation."""

    rows: tuple[str, ...]

    @cached_property
    def walls(self) -> tuple[Cell, ...]:
        """The cells that are filled."""
        return self._where("#")

    @cached_property
    def goal(self) -> Cell:
        """The one goal cell; its centre is the goal."""
        (goal,) = self._where("G")
        return goal

    @cached_property
    def free(self) -> tuple[Cell, ...]:
        """The cells where an episode or a target may lie: the empty ones, then the goal."""
        return (*self._where("."), self.goal)

    def _where(self, mark: str) -> tuple[Cell, ...]:
        return tuple(
            (r, c) for r, row in enumerate(self.rows) for c, tile in enumerate(row) if tile == mark
        )

    def cell_at(self, x: float, y: float) -> Cell:
        """Return the free cell whose middle is nearest to the position."""
        return min(
            self.free,
            key=lambda cell: math.hypot(x + WALL_SHIFT - cell[0], y + WALL_SHIFT - cell[1]),
        )

    def sample(self, rng: np.random.Generator) -> tuple[float, float]:
        """Return a random position near a random free cell, as D4RL draws starts and targets."""
        row, column = self.free[rng.integers(len(self.free))]
        dx, dy = rng.uniform(-START_JITTER, START_JITTER, 2).tolist()
        return row + dx, column + dy

    def distance(self, x: float, y: float) -> float:
        """Return how far a position is from the goal, in cells."""
        return math.hypot(x - self.goal[0], y - self.goal[1])

    def reward(self, positions: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return 1 ``(L,)`` where a position ``(L, 2)`` is within 0.5 of the goal, else 0."""
        distance = np.hypot(positions[:, 0] - self.goal[0], positions[:, 1] - self.goal[1])
        return (distance <= GOAL_RADIUS).astype(np.float64)


# The evaluation mazes are those of D4RL's maze2d-eval tasks: others than those of the data.
MAZES = {
    "maze2d-umaze": Maze(
        (
            "#####",
            "#G..#",
            "###.#",
            "#...#",
            "#####",
        )
    ),
    "maze2d-medium": Maze(
        (
            "########",
            "#..##..#",
            "#..#...#",
            "##...###",
            "#..#...#",
            "#.#..#.#",
            "#...#.G#",
            "########",
        )
    ),
    "maze2d-large": Maze(
        (
            "############",
            "#....#.....#",
            "#.##.#.#.#.#",
            "#......#...#",
            "#.####.###.#",
            "#..#.#.....#",
            "##.#.#.#.###",
            "#..#...#.G.#",
            "############",
        )
    ),
    "maze2d-open": Maze(
        (
            "#######",
            "#.....#",
            "#..G..#",
            "#.....#",
            "#######",
        )
    ),
    "maze2d-eval-umaze": Maze(
        (
            "#####",
            "#..G#",
            "#.###",
            "#...#",
            "#####",
        )
    ),
    "maze2d-eval-medium": Maze(
        (
            "########",
            "#.....G#",
            "#.#.##.#",
            "#....#.#",
            "###..###",
            "#......#",
            "#..##..#",
            "########",
        )
    ),
    "maze2d-eval-large": Maze(
        (
            "############",
            "#..#...#.G.#",
            "##.###.#.#.#",
            "#..#.#.....#",
            "#.##.#..##.#",
            "#......#...#",
            "#.##.#.#.###",
            "#....#.....#",
            "############",
        )
    ),
}
