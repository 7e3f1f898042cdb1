"""D4RL's antmaze: an ant that has to find the goal of a maze, in MuJoCo.

The ant is Gymnasium's with the three things that D4RL's has otherwise: a step of 0.02 s (5 of them
per action), motors of 30 (Gymnasium: 0.01 s, 150) and softer contacts. Gymnasium-robotics' AntMaze
takes Gymnasium's own, and is another task: its ant is five times as strong and acts twice as
often, its frame is centred with y upwards, its goal radius is 0.45. Here frame, mazes, start and
goals are D4RL's: the start cell is the origin, a column lies 4 further in x, a row 4 further in y.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qipo_ray.evaluation._mujoco import load_mujoco
from qipo_ray.evaluation.env import EnvStep, RestorableFrom
from qipo_ray.evaluation.mazes import LAYOUTS, Cell, Maze
from qipo_ray.evaluation.mujoco_env import MujocoEnv

# The eval mazes are others than those of the data.
MAZES = {
    "antmaze-umaze": Maze(LAYOUTS["umaze"], goal=(3, 1)),
    "antmaze-medium": Maze(LAYOUTS["medium"], goal=(6, 6)),
    "antmaze-large": Maze(LAYOUTS["large"], goal=(7, 9)),
    "antmaze-eval-umaze": Maze(LAYOUTS["eval-umaze"], goal=(3, 3), start=(1, 3)),
    "antmaze-eval-medium": Maze(LAYOUTS["eval-medium"], goal=(1, 6)),
    "antmaze-eval-large": Maze(LAYOUTS["eval-large"], goal=(1, 9)),
}

CELL = 4.0  # metres
GOAL_RADIUS = 0.5  # metres
SUBSTEPS = 5  # simulator steps per action
_HEIGHT = 16.0  # metres, of the camera
_STEP = "0.02"  # seconds
_MOTOR = "30"  # torque at an action of 1
_CONTACT = "0.8 0.8 0.01"  # MuJoCo's solimp


def centres(maze: Maze, cells: Sequence[Cell]) -> NDArray[np.float64]:
    """Return where cells of a maze lie in D4RL's frame, ``(C, 2)``."""
    offsets = np.array(cells, dtype=np.float64) - maze.start
    return CELL * offsets[:, ::-1]


class AntmazeEnv(MujocoEnv):
    """An ant in the maze ``name``; the reward is 1 at the goal, where the episode ends.

    The goal is drawn anew for each episode, as in antmaze v2.
    """

    action_size = 8
    success_steps = 1
    restorable_from: RestorableFrom = "any_row"

    def __init__(self, name: str) -> None:
        """Build the model."""
        self._mujoco = load_mujoco()
        model = self._mujoco.MjModel.from_xml_string(_model(MAZES[name]))
        super().__init__(model, self._mujoco.MjData(model), distance=_HEIGHT, elevation=-70.0)
        (self._goal_cell,) = centres(MAZES[name], [MAZES[name].goal])
        self._goal = self._goal_cell

    def reset(self, seed: int) -> NDArray[np.floating]:
        """Return the first observation ``(29,)``: positions (15), then velocities (14)."""
        rng = np.random.default_rng(seed)
        offset = CELL / 4 * (rng.uniform(size=2) + rng.uniform(high=0.5, size=2))
        self._goal = np.maximum(self._goal_cell + offset, 0)
        qpos = self._model.qpos0 + rng.uniform(-0.1, 0.1, self._model.nq)
        self._set(qpos, 0.1 * rng.standard_normal(self._model.nv))
        return self._observation()

    def step(self, action: NDArray[np.floating]) -> EnvStep:
        """Return what an action ``(8,)`` does; only the goal ends an episode."""
        self._data.ctrl[:] = action
        self._mujoco.mj_step(self._model, self._data, SUBSTEPS)
        distance = float(np.linalg.norm(self._data.qpos[:2] - self._goal))
        success = distance <= GOAL_RADIUS
        reward = distance if np.isnan(distance) else float(success)
        return EnvStep(self._observation(), reward, success, success)

    def set_state(self, observation: NDArray[np.floating]) -> bool:
        """Take a recorded state ``(29,)``; the goal is not observed, and is unknown then."""
        state = observation.astype(np.float64)
        self._set(state[: self._model.nq], state[self._model.nq :])
        self._goal = np.full(2, np.nan)
        return True

    def render(self) -> NDArray[np.uint8]:
        """Return the ant from above, with what is near it; a green ball is the goal."""
        ant_x, ant_y = self._data.qpos[:2].tolist()
        goal_x, goal_y = self._goal.tolist()
        self._camera.look_at(ant_x, ant_y, 0.0)
        return self._camera.render(self._data, (goal_x, goal_y, 0.5))

    def _set(self, qpos: NDArray[np.float64], qvel: NDArray[np.float64]) -> None:
        self._mujoco.mj_resetData(self._model, self._data)
        self._mujoco.mj_normalizeQuat(self._model, qpos)  # as the MuJoCo of D4RL's time did
        self._data.qpos[:], self._data.qvel[:] = qpos, qvel
        self._mujoco.mj_forward(self._model, self._data)

    def _observation(self) -> NDArray[np.floating]:
        return np.concatenate([self._data.qpos, self._data.qvel])


def _model(maze: Maze) -> str:
    """Return the model as MuJoCo's XML: Gymnasium's ant, D4RL's numbers, and the walls."""
    import gymnasium.envs.mujoco as gymnasium_mujoco

    assets = Path(str(gymnasium_mujoco.__file__)).parent / "assets"
    root = ElementTree.parse(assets / "ant.xml").getroot()
    for option in root.iter("option"):
        option.set("timestep", _STEP)
    for motor in root.iter("motor"):
        motor.set("gear", _MOTOR)
    for shape in root.iterfind("default/geom"):
        shape.set("solimp", _CONTACT)
    half = CELL / 2
    world = next(root.iter("worldbody"))
    for x, y in centres(maze, maze.walls):
        ElementTree.SubElement(
            world,
            "geom",
            type="box",
            pos=f"{x} {y} {half / 2}",
            size=f"{half} {half} {half / 2}",
            contype="1",
            conaffinity="1",
            rgba="0.45 0.5 0.6 1",
        )
    return ElementTree.tostring(root, encoding="unicode")
