"""MuJoCo, with its warnings sent to logging and with the contacts of D4RL's time."""

from __future__ import annotations

import logging
from types import ModuleType
from typing import Any

from qipo_ray.errors import UserError

REQUIREMENT = "mujoco>=3.2,<3.10"  # that of pyproject.toml
_LOG = logging.getLogger(__name__)


def load_mujoco() -> ModuleType:
    """Return the module ``mujoco``; its warnings go to this module's logger.

    Without a handler of ours MuJoCo appends them to a file MUJOCO_LOG.TXT in the current folder.
    ``UserError`` if it cannot be imported: an upgrade from MuJoCo 3 to 4, which is split into
    several packages, leaves none of both.
    """
    try:
        import mujoco
    except ImportError as error:
        raise UserError(
            f"MuJoCo cannot be imported ({str(error).splitlines()[0]:.200}): "
            f"pip install --force-reinstall '{REQUIREMENT}'"
        ) from error

    mujoco.set_mju_user_warning(_LOG.warning)
    return mujoco


def restore_contacts(model: Any) -> None:
    """Let the model's bodies meet as in MuJoCo 3.4 and before, and so in D4RL's simulators.

    Two releases changed that. Since 3.5 the margins of both geoms add up, where the larger one
    counted: with half of it each they give it again. Since 3.8 two convex bodies touch in several
    points unless told not to. Explicit pairs keep their own margin under both rules; gaps have
    another meaning since 3.5, and no model here has one.
    """
    import mujoco

    release = tuple(int(number) for number in mujoco.__version__.split(".")[:2])
    if release >= (3, 5):
        bare = model.geom_margin == 0
        # Of two geoms without margin the larger one is none. Where only one is bare, it never
        # meets another; where several are, as links of the kitchen's robot, they stay so, and
        # meet others at half of the margin.
        model.geom_margin[(~bare) | (bare.sum() == 1)] = model.geom_margin.max() / 2
    if release >= (3, 8):
        model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_MULTICCD
