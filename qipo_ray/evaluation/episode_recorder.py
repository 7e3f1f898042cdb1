"""The recorder of one episode: frames on the way, and the GIF that they make."""

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

MAX_FRAMES = 250  # of an episode, besides the first
_FRAME_MS = 40  # each frame, at least: 25 a second
_LENGTH_MS = 3000  # a GIF, at least


class EpisodeRecorder:
    """Frames of episode 0, evenly spread over a task's horizon."""

    def __init__(self, horizon: int) -> None:
        """Choose the steps that are recorded, at most ``MAX_FRAMES`` and the first."""
        self._every = -(-horizon // MAX_FRAMES)
        self.frames: list[NDArray[np.uint8]] = []  # (H, W, 3) each

    def record(self, envs: VectorEnv, step: int) -> None:
        """Render a frame after ``step`` steps, if this is one of those that are recorded."""
        if step % self._every == 0:
            self.frames.append(envs.render())

    def gif(self) -> bytes:
        """Return the frames as an animated GIF that begins anew when it ends."""
        import imageio.v3

        duration = max(_FRAME_MS, _LENGTH_MS // len(self.frames))
        data: bytes = imageio.v3.imwrite(
            "<bytes>", self.frames, extension=".gif", duration=duration, loop=0
        )
        return data


def check_rendering(task: Task) -> None:
    """Refuse a task that cannot be drawn here: ``UserError`` says why. It renders one frame.

    Without a display MUJOCO_GL is set to draw without one; MuJoCo reads it at its import.
    """
    from qipo_ray.evaluation.registry import make_env

    displays = {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys()
    if sys.platform == "linux" and not displays and not os.environ.get("MUJOCO_GL"):
        os.environ["MUJOCO_GL"] = "egl"
    # What MuJoCo raises without a graphics library differs from library to library.
    render_errors = (AttributeError, ImportError, OSError, RuntimeError)
    try:
        envs = make_env(task)
        try:
            envs.reset([0])
            envs.render()
        finally:
            envs.close()
    except render_errors as problem:
        raise UserError(
            f"task {task.id!r} cannot be drawn here: MuJoCo finds no graphics library with "
            f"MUJOCO_GL={os.environ.get('MUJOCO_GL', '')!r} ({problem}); install libegl1 or "
            "libosmesa6 and set MUJOCO_GL to egl or osmesa"
        ) from problem
