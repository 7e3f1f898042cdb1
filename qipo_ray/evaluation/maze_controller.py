"""The planner that makes maze2d data: a shortest path of cells, followed by a PD controller.

After D4RL's waypoint controller (gain 10 on position, -1 on velocity, tolerance 0.1).
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from qipo_ray.evaluation.maze2d import PointMass, start_state
from qipo_ray.evaluation.mazes import Cell, Maze

POSITION_GAIN = 10.0
VELOCITY_GAIN = -1.0
TOLERANCE = 0.1  # cells, to a way point and to the target
WAYPOINT_JITTER = 0.2  # a way point lies up to this much below its cell, where the corridor is


def next_cells(maze: Maze, target: Cell) -> dict[Cell, Cell]:
    """Return for every free cell the neighbour on a shortest path to ``target``."""
    onward = {target: target}
    queue = deque([target])
    while queue:
        row, column = queue.popleft()
        for cell in ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)):
            if cell not in onward and cell in maze.free:
                onward[cell] = (row, column)
                queue.append(cell)
    return onward


class MazeController:
    """Drives a point mass to one target after another."""

    def __init__(self, maze: Maze, rng: np.random.Generator) -> None:
        """Plan from every cell to every other; ``rng`` jitters the way points."""
        self._maze, self._rng = maze, rng
        self._onward = {cell: next_cells(maze, cell) for cell in maze.free}
        self._waypoints: deque[tuple[float, float]] = deque()

    def aim(self, x: float, y: float, target: Cell) -> None:
        """Plan from the position to the middle of the cell ``target``."""
        onward, cell = self._onward[target], self._maze.cell_at(x, y)
        self._waypoints.clear()
        while onward[cell] != target:
            cell = onward[cell]
            dx, dy = (WAYPOINT_JITTER * self._rng.uniform(size=2)).tolist()
            self._waypoints.append((cell[0] - dx, cell[1] - dy))
        self._waypoints.append((float(target[0]), float(target[1])))

    def act(self, x: float, y: float, vx: float, vy: float) -> tuple[float, float, bool]:
        """Return the action in [-1, 1]^2, and whether the target is reached."""
        wx, wy = self._waypoints[0]
        ax = POSITION_GAIN * (wx - x) + VELOCITY_GAIN * vx
        ay = POSITION_GAIN * (wy - y) + VELOCITY_GAIN * vy
        arrived = math.hypot(wx - x, wy - y) < TOLERANCE
        reached = arrived and len(self._waypoints) == 1
        if arrived and not reached:
            self._waypoints.popleft()
        return min(1.0, max(-1.0, ax)), min(1.0, max(-1.0, ay)), reached


class MazeDriver:
    """One endless trajectory: a new random target whenever the last is reached or is late."""

    def __init__(self, maze: Maze, seed: int, horizon: int) -> None:
        """Put the mass at a random start; a target is late after ``horizon`` steps."""
        self._maze, self._horizon = maze, horizon
        self._rng = np.random.default_rng(seed)
        self._mass = PointMass(maze)
        self._controller = MazeController(maze, self._rng)
        self._state = start_state(maze, self._rng)
        self._mass.set_state(self._state)
        self._new_target()

    def _new_target(self) -> None:
        x, y = self._target = self._maze.sample(self._rng)
        self._age = 0
        self._controller.aim(*self._state[:2], (round(x), round(y)))

    def rows(self, count: int) -> dict[str, NDArray[np.generic]]:
        """Return the next N rows: states ``(N, 4)``, actions and goals ``(N, 2)``, timeouts."""
        states, actions, goals, timeouts = [], [], [], []
        push, act = self._mass.push, self._controller.act
        for _ in range(count):
            ax, ay, reached = act(*self._state)
            done = reached or self._age >= self._horizon
            states.append(self._state)
            actions.append((ax, ay))
            goals.append(self._target)
            timeouts.append(done)
            self._state = push(ax, ay)
            self._age += 1
            if done:
                self._new_target()
        return {
            "states": np.array(states, np.float32),
            "actions": np.array(actions, np.float32),
            "goals": np.array(goals, np.float32),
            "timeouts": np.array(timeouts, bool),
        }
