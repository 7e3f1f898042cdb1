"""OGBench's single tasks, by its package: its environments, with resets by seed.

A single task judges the state before the action, as its rewards do: who arrives with the last
allowed step has not arrived. Since scores are compared with others', it stays so.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qipo_ray.errors import UserError, nearest
from qipo_ray.evaluation._mujoco import load_mujoco
from qipo_ray.evaluation.env import EnvStep, RestorableFrom


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
        with _quiet():
            if seed is not None:
                self._state = np.random.RandomState(seed).get_state()
                self._environment.action_space.seed(seed)
            return self.apart(lambda: self._environment.reset(seed=seed, options=options))

    def step(self, action: Any) -> Any:
        """Return what an action does."""
        return self.apart(lambda: self._environment.step(action))

    def apart(self, act: Callable[[], Any]) -> Any:
        """Return what ``act`` does, which draws from NumPy's global generator."""
        before = np.random.get_state()
        np.random.set_state(self._state)
        try:
            return act()
        finally:
            self._state = np.random.get_state()
            np.random.set_state(before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Drop warnings: of what packages below it will drop, and of bounds that lose precision."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def make(environment: str, **options: Any) -> SeededEnv:
    """Return the environment of a single task, such as ``cube-single-singletask-task2-v0``.

    Raises:
        UserError: OGBench is not installed, is too old, or has no such single task.
    """
    load_mujoco()
    import gymnasium

    try:
        with _quiet():
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
    with _quiet():
        return SeededEnv(gymnasium.make(environment, disable_env_checker=True, **options))


class SingleTaskEnv:
    """One environment of a single task, without time limit: the rollout keeps the horizon."""

    success_steps = 1
    restorable_from: RestorableFrom = "any_row"

    def __init__(self, name: str) -> None:
        """Make the package's environment ``name``."""
        self._environment = make(name, max_episode_steps=-1)
        self._core = self._environment.unwrapped
        with _quiet():
            self.action_size = int(self._environment.action_space.shape[0])

    def reset(self, seed: int) -> NDArray[np.floating]:
        """Return the first observation ``(S,)``."""
        observation: NDArray[np.floating] = self._environment.reset(seed=seed)[0]
        return observation

    def step(self, action: NDArray[np.floating]) -> EnvStep:
        """Return what an action ``(A,)`` does; success is that of the state before it."""
        observation, reward, terminated, _, info = self._environment.step(np.clip(action, -1, 1))
        return EnvStep(observation, float(reward), bool(terminated), bool(info["success"]))

    def set_state(self, observation: NDArray[np.floating]) -> bool:
        """Take a recorded state ``(S,)``; False where it is not one of positions and speeds."""
        positions = self._core.model.nq
        if len(observation) != positions + self._core.model.nv:
            return False
        state = observation.astype(np.float64)
        self._core.set_state(state[:positions], state[positions:])
        return bool(np.allclose(self._core.get_ob(), observation, rtol=1e-4, atol=1e-4))

    def render(self) -> NDArray[np.uint8]:
        """Return how the state looks now, ``(H, W, 3)``."""
        frame: NDArray[np.uint8] = self._environment.render()
        return frame

    def close(self) -> None:
        """Close the environment."""
        self._environment.close()
