"""D4RL's maze2d: a point mass pushed through a maze, in MuJoCo.

Geometry, frame, dynamics, start states (the goal cell is one of them) and rewards are those of
D4RL's ``pointmaze``; the mazes are in ``mazes``. Gymnasium-robotics' PointMaze is another one: its
frame is centred and turned, its goal radius is 0.45.

D4RL's reference score of 100 is not a ceiling: its controller kept the first episode's way points
in all later episodes. One that plans anew scores about 140 (umaze) to 200 (large).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from qipo_ray.evaluation._mujoco import load_mujoco, restore_contacts
from qipo_ray.evaluation.env import EnvStep, RestorableFrom
from qipo_ray.evaluation.mazes import GOAL_RADIUS, MAZES, WALL_SHIFT, Maze
from qipo_ray.evaluation.pixel_canvas import BODY, GOAL, WALL, Canvas

State = tuple[float, float, float, float]  # position (2), velocity (2)

MAX_SPEED = 5.0  # cells per second and axis, enforced before each step
START_SPEED = 0.1  # standard deviation of the start velocity

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
        """Build the model; ``set_state`` puts the mass where it should start."""
        mujoco = load_mujoco()
        walls = "".join(
            f'<geom type="box" pos="{r + 1} {c + 1} 0" size="0.5 0.5 0.2"/>' for r, c in maze.walls
        )
        self._advance, self._reset = mujoco.mj_step, mujoco.mj_resetData
        self._model = mujoco.MjModel.from_xml_string(_MODEL.format(walls=walls))
        restore_contacts(self._model)
        self._data = mujoco.MjData(self._model)
        # views into the simulator's memory: reading data.qpos makes a new one each time
        self._qpos, self._qvel = self._data.qpos, self._data.qvel
        self._ctrl = self._data.ctrl

    def set_state(self, state: State) -> None:
        """Put the mass there, with nothing left of what happened before."""
        self._reset(self._model, self._data)
        self._qpos[:], self._qvel[:] = state[:2], state[2:]

    def position(self) -> tuple[float, float]:
        """Return where the mass is."""
        x, y = self._qpos.tolist()
        return x, y

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


class Maze2dEnv:
    """A point mass in the maze ``name``, such as maze2d-umaze or maze2d-umaze-dense.

    The reward belongs to the state reached: 1 within 0.5 cells of the goal; in a dense task
    exp(-distance).
    """

    action_size = 2
    success_steps = 1
    restorable_from: RestorableFrom = "any_row"

    def __init__(self, name: str) -> None:
        """Build the maze; ``reset`` puts the mass into it."""
        self._maze = MAZES[name.removesuffix("-dense")]
        self._dense = name.endswith("-dense")
        self._mass = PointMass(self._maze)

    def reset(self, seed: int) -> NDArray[np.floating]:
        """Return a random start state ``(4,)``."""
        state = start_state(self._maze, np.random.default_rng(seed))
        self._mass.set_state(state)
        return np.array(state)

    def step(self, action: NDArray[np.floating]) -> EnvStep:
        """Return what an action ``(2,)`` does; no episode ends before the horizon."""
        x, y, vx, vy = self._mass.push(*action.tolist())
        distance = self._maze.distance(x, y)
        success = distance <= GOAL_RADIUS
        reward = math.exp(-distance) if self._dense else float(success)
        return EnvStep(np.array((x, y, vx, vy)), reward, False, success)

    def set_state(self, observation: NDArray[np.floating]) -> bool:
        """Take a recorded state ``(4,)``."""
        x, y, vx, vy = observation.tolist()
        self._mass.set_state((x, y, vx, vy))
        return True

    def render(self) -> NDArray[np.uint8]:
        """Return the maze from above as ``mazes`` writes it: rows downwards, columns across."""
        tall, wide = len(self._maze.rows), len(self._maze.rows[0])
        low = -0.5 - WALL_SHIFT
        canvas = Canvas((low, low), (low + wide, low + tall))
        row, column = self._maze.goal
        canvas.disc(column, row, GOAL_RADIUS, GOAL)
        for row, column in self._maze.walls:
            canvas.box(column - WALL_SHIFT, row - WALL_SHIFT, 0.5, WALL)
        x, y = self._mass.position()
        canvas.disc(y, x, 0.1, BODY)
        return canvas.render()

    def close(self) -> None:
        """Do nothing: MuJoCo frees its memory itself."""
