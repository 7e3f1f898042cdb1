"""OGBench's single tasks, by its package: environments with resets by seed, and their goals.

A single task judges the state before the action, as its rewards do: who arrives with the last
allowed step has not arrived. Since scores are compared with others', it stays so.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np

from qipo_ray.data.imports.ogbench import Goal, Place
from qipo_ray.errors import UserError, nearest
from qipo_ray.evaluation._mujoco import load_mujoco

_OBJECTS, _CUBE = 14, 7  # where the objects of a `qpos` begin, and the numbers of a cube
_BALL = 15  # of antsoccer
_TOLERANCE = 0.04  # metres, of what the arm moves


class SeededEnv:
    """An environment of Gymnasium's interface whose random numbers are all from the reset's seed.

    The package's mazes draw their starts, and the teleporting ones their exits, from NumPy's
    global generator. Here they have a state of it to themselves, and the process keeps its own.
    """

    def __init__(self, environment: Any) -> None:
        """Take an environment over."""
        self._environment = environment
        self._state: dict[str, Any] | tuple[Any, ...] = np.random.RandomState(0).get_state()

    def __getattr__(self, name: str) -> Any:
        """Return what the environment has of this name."""
        return getattr(self._environment, name)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """Return the first observation and its infos."""
        if seed is not None:
            self._state = np.random.RandomState(seed).get_state()
            self._environment.action_space.seed(seed)
        return self._apart(lambda: self._environment.reset(seed=seed, options=options))

    def step(self, action: Any) -> Any:
        """Return what an action does."""
        return self._apart(lambda: self._environment.step(action))

    def _apart(self, act: Callable[[], Any]) -> Any:
        before = np.random.get_state()
        np.random.set_state(self._state)
        try:
            return act()
        finally:
            self._state = np.random.get_state()
            np.random.set_state(before)


def make(environment: str, **options: Any) -> SeededEnv:
    """Return the environment of a single task, such as ``cube-single-singletask-task2-v0``.

    Raises:
        UserError: OGBench is not installed, is too old, or has no such single task.
    """
    load_mujoco()
    import gymnasium

    try:
        import ogbench  # noqa: F401 - it registers its environments
    except ImportError:
        raise UserError(
            "single tasks are OGBench's, which is not installed: pip install 'qipo_ray[ogbench]'"
        ) from None
    tasks = [
        name
        for name in gymnasium.registry
        if "-singletask-" in name and not name.startswith("visual-")
    ]
    if environment not in tasks:
        raise UserError(
            f"OGBench {version('ogbench')} has no single task {environment!r}"
            f"{nearest(environment, tasks)}, or it shows pictures; an example is {tasks[0]}"
        )
    if gymnasium.spec(environment).kwargs.get("success_timing") != "pre":
        raise UserError(
            f"OGBench {version('ogbench')} judges the state after the action; expected 1.2 or "
            "newer, which judges the one before: pip install 'qipo_ray[ogbench]'"
        )
    return SeededEnv(gymnasium.make(environment, disable_env_checker=True, **options))


def goal_of(environment: str) -> Goal:
    """Return what a single task wants of a state; its goal is the same at every reset."""
    held = make(environment)
    try:
        held.reset(seed=0)
        core = held.unwrapped
        if hasattr(core, "cur_goal_xy"):
            first = _BALL if environment.startswith("antsoccer") else 0
            places = [Place(slice(first, first + 2), np.array(core.cur_goal_xy), core._goal_tol)]
        else:
            places = _objects(core)
        buttons = np.array(getattr(core, "_target_button_states", ()), np.int64)
        width, name = int(core.model.nq), version("ogbench")
        return Goal(environment, name, width, tuple(places), buttons)
    finally:
        held.close()


def _objects(core: Any) -> list[Place]:
    """Return where an arm's cubes, drawer and window should be."""
    cubes, buttons = getattr(core, "_num_cubes", 0), getattr(core, "_num_buttons", 0)
    places = []
    for number in range(cubes):
        first = _OBJECTS + number * _CUBE
        target = core._data.mocap_pos[number].copy()
        places.append(Place(slice(first, first + 3), target, _TOLERANCE))
    if hasattr(core, "_target_drawer_pos"):
        first = _OBJECTS + cubes * _CUBE + buttons
        for offset, target in enumerate((core._target_drawer_pos, core._target_window_pos)):
            column = slice(first + offset, first + offset + 1)
            places.append(Place(column, np.array([target]), _TOLERANCE))
    return places
