"""D4RL's mazes: their geometry, and where gymnasium-robotics' frame differs."""

from __future__ import annotations

import numpy as np
import pytest

from qipo_ray.evaluation.maze_controller import next_cells
from qipo_ray.evaluation.mazes import MAZES


@pytest.mark.parametrize(
    ("name", "shape", "free", "goal"),
    [
        ("maze2d-umaze", (5, 5), 7, (1, 1)),
        ("maze2d-medium", (8, 8), 26, (6, 6)),
        ("maze2d-large", (9, 12), 46, (7, 9)),
        ("maze2d-open", (5, 7), 15, (2, 3)),
        ("maze2d-eval-umaze", (5, 5), 7, (1, 3)),
        ("maze2d-eval-medium", (8, 8), 26, (1, 6)),
        ("maze2d-eval-large", (9, 12), 47, (1, 9)),
    ],
)
def test_geometry_is_that_of_d4rl(name, shape, free, goal) -> None:
    maze = MAZES[name]
    assert {len(row) for row in maze.rows} == {shape[1]} and len(maze.rows) == shape[0]
    assert (len(maze.free), maze.goal) == (free, goal)
    assert len(maze.walls) + free == shape[0] * shape[1]
    assert set(next_cells(maze, goal)) == set(maze.free)  # every cell leads to the goal


def test_the_frame_against_gymnasium_robotics() -> None:
    """There the maze is centred and y points up: row = 1.8 - y, column = x + 1.8 in umaze."""
    from gymnasium_robotics.envs.maze.maps import U_MAZE
    from gymnasium_robotics.envs.maze.maze_v4 import Maze as RoboticsMaze

    robotics_maze = RoboticsMaze(U_MAZE, 1.0, 0.4)
    maze = MAZES["maze2d-umaze"]
    for row in range(5):
        for column in range(5):
            x, y = robotics_maze.cell_rowcol_to_xy(np.array([row, column]))
            assert (U_MAZE[row][column] == 1) == ((row, column) in maze.walls) or row == 2
            if (row, column) in maze.free:
                assert maze.cell_at(1.8 - y, x + 1.8) == (row, column)
