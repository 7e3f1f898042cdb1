"""A film of one episode: pictures on the way, and the GIF that they make."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qipo_ray.errors import UserError

if TYPE_CHECKING:
    from qipo_ray.data.tasks import Task
    from qipo_ray.evaluation.env import VectorEnv

MOST = 250  # pictures of an episode
_SHOWN_MS = 40  # each picture, at least: 25 a second
_LASTS_MS = 3000  # a whole film, at least


class Film:
    """Pictures of a simulator's episode 0, evenly spread over a task's horizon."""

    def __init__(self, horizon: int) -> None:
        """Choose the steps that are seen, at most ``MOST`` and the first."""
        self._every = -(-horizon // MOST)
        self.pictures: list[NDArray[np.uint8]] = []

    def see(self, simulator: VectorEnv, step: int) -> None:
        """Take a picture after ``step`` steps, if this is one of those that are seen."""
        if step % self._every == 0:
            self.pictures.append(simulator.picture())

    def gif(self) -> bytes:
        """Return the film as an animated GIF that begins anew when it ends."""
        import imageio.v3

        shown = max(_SHOWN_MS, _LASTS_MS // len(self.pictures))
        data: bytes = imageio.v3.imwrite(
            "<bytes>", self.pictures, extension=".gif", duration=shown, loop=0
        )
        return data


def check_pictures(task: Task) -> None:
    """Refuse a task that cannot be drawn here: ``UserError`` says why. It draws one picture.

    Where there is no display, MuJoCo is told to draw without one; it asks when it is imported.
    """
    from qipo_ray.evaluation.env import make_env

    shown = {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys()
    if sys.platform == "linux" and not shown and not os.environ.get("MUJOCO_GL"):
        os.environ["MUJOCO_GL"] = "egl"
    # What MuJoCo raises without a graphics library differs from library to library.
    lacking = (AttributeError, ImportError, OSError, RuntimeError)
    try:
        simulator = make_env(task)
        try:
            simulator.reset([0])
            simulator.picture()
        finally:
            simulator.close()
    except lacking as problem:
        raise UserError(
            f"task {task.id!r} cannot be drawn here: MuJoCo finds no graphics library with "
            f"MUJOCO_GL={os.environ.get('MUJOCO_GL', '')!r} ({problem}); install libegl1 or "
            "libosmesa6 and set MUJOCO_GL to egl or osmesa"
        ) from problem
