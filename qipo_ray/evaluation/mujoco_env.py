"""What environments in MuJoCo have in common: the camera, and Gymnasium's way to make them."""

from __future__ import annotations

import io
import warnings
from contextlib import redirect_stderr
from functools import cached_property
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qipo_ray.errors import UserError
from qipo_ray.evaluation._mujoco import load_mujoco, restore_contacts
from qipo_ray.evaluation.camera import Camera


class MujocoEnv:
    """A model and its state; the camera is made when it is needed."""

    def __init__(self, model: Any, data: Any, **view: Any) -> None:
        """Take MuJoCo's model and data, and what ``Camera`` needs to look at them."""
        restore_contacts(model)
        self._model, self._data, self._view = model, data, view

    @cached_property
    def _camera(self) -> Camera:
        return Camera(self._model, **self._view)

    def render(self) -> NDArray[np.uint8]:
        """Return how the state looks now, ``(H, W, 3)``."""
        return self._camera.render(self._data)

    def close(self) -> None:
        """Free the camera, if there is one; MuJoCo frees its memory itself."""
        if "_camera" in vars(self):
            self._camera.close()


class GymnasiumEnv(MujocoEnv):
    """An environment that Gymnasium made, ``_core`` without its wrappers."""

    def __init__(self, environment: Any, **view: Any) -> None:
        self._environment, self._core = environment, environment.unwrapped
        super().__init__(self._core.model, self._core.data, **view)
        self.action_size = int(self._core.action_space.shape[0])

    def reset(self, seed: int) -> NDArray[np.floating]:
        """Return the first observation ``(S,)``."""
        observation: NDArray[np.floating] = self._environment.reset(seed=seed)[0]
        return observation

    def close(self) -> None:
        """Close the environment."""
        super().close()
        self._environment.close()


def make(name: str, **options: Any) -> Any:
    """Return one environment without time limit: the rollout keeps the task's horizon."""
    load_mujoco()
    import gymnasium

    with warnings.catch_warnings():
        # v4 is out of date on purpose: it is D4RL's model. Gymnasium's own filters come with it.
        warnings.filterwarnings("ignore", ".*is out of date", DeprecationWarning)
        return gymnasium.make(name, max_episode_steps=-1, disable_env_checker=True, **options)


def make_robotics(*names: str, **options: Any) -> Any:
    """Return one environment of gymnasium-robotics, the extra ``robotics``, without time limit.

    It is the first of the ``names`` that is there.

    Raises:
        ModuleNotFoundError: if gymnasium-robotics is not installed.
        UserError: if its release has none of them.
    """
    load_mujoco()
    import gymnasium

    with redirect_stderr(io.StringIO()):  # the package prints news on being imported
        import gymnasium_robotics

    if gymnasium.registry.keys().isdisjoint(names):
        gymnasium.register_envs(gymnasium_robotics)
    for name in names:
        if name in gymnasium.registry:
            return make(name, **options)
    release = metadata.version("gymnasium-robotics")
    raise UserError(
        f"gymnasium-robotics {release} has no {' or '.join(names)}: "
        "pip install 'qipo_ray[robotics]' brings a release that has"
    )
