"""The mazes of D4RL, and what can be asked of one of maze2d.

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
    """One maze: its walls, the goal of the evaluation, and the cell where an ant starts."""

    rows: tuple[str, ...]  # of ``LAYOUTS``
    goal: Cell
    start: Cell = (1, 1)

    @cached_property
    def walls(self) -> tuple[Cell, ...]:
        """The cells that are filled."""
        return self._cells("#")

    @cached_property
    def free(self) -> tuple[Cell, ...]:
        """The cells where an episode or a target may lie: the empty ones, then the goal."""
        return (*(cell for cell in self._cells(".") if cell != self.goal), self.goal)

    def _cells(self, mark: str) -> tuple[Cell, ...]:
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


# ``#`` is wall, ``.`` free; maze2d and antmaze have the same walls.
LAYOUTS = {
    "umaze": (
        "#####",
        "#...#",
        "###.#",
        "#...#",
        "#####",
    ),
    "medium": (
        "########",
        "#..##..#",
        "#..#...#",
        "##...###",
        "#..#...#",
        "#.#..#.#",
        "#...#..#",
        "########",
    ),
    "large": (
        "############",
        "#....#.....#",
        "#.##.#.#.#.#",
        "#......#...#",
        "#.####.###.#",
        "#..#.#.....#",
        "##.#.#.#.###",
        "#..#...#...#",
        "############",
    ),
    "open": (
        "#######",
        "#.....#",
        "#.....#",
        "#.....#",
        "#######",
    ),
    "eval-umaze": (
        "#####",
        "#...#",
        "#.###",
        "#...#",
        "#####",
    ),
    "eval-medium": (
        "########",
        "#......#",
        "#.#.##.#",
        "#....#.#",
        "###..###",
        "#......#",
        "#..##..#",
        "########",
    ),
    "eval-large": (
        "############",
        "#..#...#...#",
        "##.###.#.#.#",
        "#..#.#.....#",
        "#.##.#..##.#",
        "#......#...#",
        "#.##.#.#.###",
        "#....#.....#",
        "############",
    ),
}

# The evaluation mazes are those of D4RL's maze2d-eval tasks: others than those of the data.
MAZES = {
    "maze2d-umaze": Maze(LAYOUTS["umaze"], goal=(1, 1)),
    "maze2d-medium": Maze(LAYOUTS["medium"], goal=(6, 6)),
    "maze2d-large": Maze(LAYOUTS["large"], goal=(7, 9)),
    "maze2d-open": Maze(LAYOUTS["open"], goal=(2, 3)),
    "maze2d-eval-umaze": Maze(LAYOUTS["eval-umaze"], goal=(1, 3)),
    "maze2d-eval-medium": Maze(LAYOUTS["eval-medium"], goal=(1, 6)),
    "maze2d-eval-large": Maze(LAYOUTS["eval-large"], goal=(1, 9)),
}
