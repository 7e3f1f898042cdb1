"""Pictures of a MuJoCo model, drawn without a window; the physics do not notice."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qipo_ray.evaluation._mujoco import load_mujoco

PIXELS = 256  # each side


class Camera:
    """A camera on one model: one of its own by ``name``, or one that looks at a point."""

    def __init__(
        self,
        model: Any,
        name: str | None = None,
        *,
        lookat: tuple[float, float, float] | None = None,
        distance: float = 2.0,
        azimuth: float = 90.0,
        elevation: float = -45.0,
    ) -> None:
        """Take metres and degrees; without ``lookat`` it looks at the model's middle.

        ``RuntimeError``, or what MuJoCo's binding of a graphics library raises, if none works.
        """
        self._mujoco = load_mujoco()
        try:
            with warnings.catch_warnings():  # GLFW warns of what it lacks
                warnings.simplefilter("ignore")
                self._renderer = self._mujoco.Renderer(model, PIXELS, PIXELS)
        except self._mujoco.FatalError as problem:
            raise RuntimeError(str(problem)) from problem
        self._view: Any = name
        if name is None:
            self._view = self._mujoco.MjvCamera()
            self._mujoco.mjv_defaultFreeCamera(model, self._view)
            if lookat is not None:
                self._view.lookat[:] = lookat
            self._view.distance, self._view.azimuth = distance, azimuth
            self._view.elevation = elevation

    def look_at(self, x: float, y: float, z: float) -> None:
        """Turn a camera without a name to another point."""
        self._view.lookat[:] = x, y, z

    def render(
        self, data: Any, goal: tuple[float, float, float] | None = None
    ) -> NDArray[np.uint8]:
        """Return how the state in ``data`` looks, ``(H, W, 3)``; a green ball stands at a goal."""
        self._renderer.update_scene(data, self._view)
        if goal is not None:
            scene = self._renderer.scene
            self._mujoco.mjv_initGeom(
                scene.geoms[scene.ngeom],
                self._mujoco.mjtGeom.mjGEOM_SPHERE,
                np.full(3, 0.5),
                np.array(goal),
                np.eye(3).ravel(),
                np.array([0.2, 0.8, 0.3, 1.0], np.float32),
            )
            scene.ngeom += 1
        return self._renderer.render().copy()

    def close(self) -> None:
        """Free the graphics memory."""
        self._renderer.close()
