"""Environments of gymnasium-robotics, the extra ``robotics``."""

from __future__ import annotations

import io
from contextlib import redirect_stderr
from typing import Any

from qipo_ray.evaluation._mujoco import load_mujoco


def make_robotics(name: str, **options: Any) -> Any:
    """Return one environment without time limit: the rollout keeps the task's horizon.

    Raises:
        ModuleNotFoundError: if gymnasium-robotics is not installed.
    """
    load_mujoco()
    import gymnasium

    with redirect_stderr(io.StringIO()):  # the package prints news on being imported
        import gymnasium_robotics

    if name not in gymnasium.registry:
        gymnasium.register_envs(gymnasium_robotics)
    return gymnasium.make(name, max_episode_steps=-1, disable_env_checker=True, **options)
