"""MuJoCo, with its warnings sent to logging."""

from __future__ import annotations

import logging
from types import ModuleType

_LOG = logging.getLogger(__name__)


def load_mujoco() -> ModuleType:
    """Return the module ``mujoco``; its warnings go to this module's logger.

    Without a handler of ours MuJoCo appends them to a file MUJOCO_LOG.TXT in the current folder.
    """
    import mujoco

    mujoco.set_mju_user_warning(_LOG.warning)
    return mujoco
