"""D4RL's maze2d: a point mass pushed through a maze, in MuJoCo.

Geometry, dynamics, start states (the goal cell is one of them) and rewards are those of D4RL's
``pointmaze`` (maze2d-*-v1). A position is in cells: (row, column). Walls stand 0.2 below the cells
that they fill, so a free cell reaches from -0.7 to +0.3 around its numbers.

D4RL's reference score of 100 is not a ceiling: its controller kept the first episode's way points
in all later episodes. One that plans anew scores about 140 (umaze) to 200 (large).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from qipo_ray.evaluation._mujoco import load_mujoco
from qipo_ray.evaluation.simulators import Step

Cell = tuple[int, int]
State = tuple[float, float, float, float]  # position (2), velocity (2)

GOAL_RADIUS = 0.5  # cells
MAX_SPEED = 5.0  # cells per second and axis, enforced before each step
START_JITTER = 0.1  # half width of the uniform noise on a start or target position
START_SPEED = 0.1  # standard deviation of the start velocity
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

    def reward(self, positions: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return 1 ``(L,)`` where a position ``(L, 2)`` is within 0.5 of the goal, else 0."""
        distance = np.hypot(positions[:, 0] - self.goal[0], positions[:, 1] - self.goal[1])
        return (distance <= GOAL_RADIUS).astype(np.float64)


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
}

# D4RL's floor is left out: it touches the mass without friction, in the one direction in which
# the mass cannot move.
_MODEL = """
<mujoco>
  <compiler inertiafromgeom="true" angle="radian"/>
  <option timestep="0.01" gravity="0 0 0" iterations="20" integrator="Euler"/>
  <default>
    <joint damping="1" limited="false"/>
    <geom friction="0.5 0.1 0.1" density="1000" margin="0.002" condim="1" contype="2"
          conaffinity="1"/>
  </default>
  <worldbody>
    <body pos="1.2 1.2 0">
      <geom type="sphere" size="0.1" contype="1"/>
      <joint name="x" type="slide" axis="1 0 0"/>
      <joint name="y" type="slide" axis="0 1 0"/>
    </body>
    {walls}
  </worldbody>
  <actuator>
    <motor joint="x" ctrlrange="-1 1" ctrllimited="true" gear="100"/>
    <motor joint="y" ctrlrange="-1 1" ctrllimited="true" gear="100"/>
  </actuator>
</mujoco>
"""


class PointMass:
    """One point mass in a maze; plain floats go in and out, because arrays would cost more."""

    def __init__(self, maze: Maze) -> None:
        """Build the model; ``place`` puts the mass where it should start."""
        mujoco = load_mujoco()
        walls = "".join(
            f'<geom type="box" pos="{r + 1} {c + 1} 0" size="0.5 0.5 0.2"/>' for r, c in maze.walls
        )
        self._advance, self._reset = mujoco.mj_step, mujoco.mj_resetData
        self._model = mujoco.MjModel.from_xml_string(_MODEL.format(walls=walls))
        self._data = mujoco.MjData(self._model)
        # views into the simulator's memory: reading data.qpos makes a new one each time
        self._qpos, self._qvel = self._data.qpos, self._data.qvel
        self._ctrl = self._data.ctrl

    def place(self, state: State) -> None:
        """Put the mass there, with nothing left of what happened before."""
        self._reset(self._model, self._data)
        self._qpos[:], self._qvel[:] = state[:2], state[2:]

    def push(self, ax: float, ay: float) -> State:
        """Return the state one step (0.01 s) after the action, which MuJoCo clips to [-1, 1]."""
        for axis, speed in enumerate(self._qvel.tolist()):
            if not -MAX_SPEED <= speed <= MAX_SPEED:
                self._qvel[axis] = math.copysign(MAX_SPEED, speed)
        self._ctrl[0], self._ctrl[1] = ax, ay
        self._advance(self._model, self._data)
        x, y = self._qpos.tolist()
        vx, vy = self._qvel.tolist()
        return x, y, vx, vy


def start_state(maze: Maze, rng: np.random.Generator) -> State:
    """Return a random start: near a free cell, almost at rest."""
    x, y = maze.sample(rng)
    vx, vy = (START_SPEED * rng.standard_normal(2)).tolist()
    return x, y, vx, vy


class Maze2dSimulator:
    """E point masses in one maze; the reward belongs to the state reached."""

    action_size = 2
    rewards_mark_goal = True

    def __init__(self, maze: Maze) -> None:
        """Take the maze; ``reset`` makes the masses."""
        self._maze = maze
        self._masses: list[PointMass] = []

    def reset(self, seeds: Sequence[int]) -> NDArray[np.float32]:
        """Return random start states ``(E, 4)``, one per seed."""
        while len(self._masses) < len(seeds):
            self._masses.append(PointMass(self._maze))
        states = [start_state(self._maze, np.random.default_rng(seed)) for seed in seeds]
        for mass, state in zip(self._masses, states, strict=False):
            mass.place(state)
        return np.array(states, dtype=np.float32)

    def step(self, live: NDArray[np.intp], actions: NDArray[np.floating]) -> Step:
        """Return what actions ``(L, 2)`` do; no episode ends before the horizon."""
        masses = self._masses
        pairs = zip(live.tolist(), actions.tolist(), strict=True)
        states = np.array([masses[index].push(*action) for index, action in pairs])
        rewards = self._maze.reward(states[:, :2])
        return Step(states.astype(np.float32), rewards, np.zeros(len(live), bool))

    def close(self) -> None:
        """Let the masses go."""
        self._masses.clear()
