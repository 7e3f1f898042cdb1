"""A gait of four-legged ants: a trot in any direction, in closed form."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FREQUENCY = 1.2  # steps of each leg in a second
SWING = 0.5  # of a hip to either side, radians
DOWN, UP = 0.9, 0.55  # of an ankle that carries, and of one that is lifted, radians
STIFFNESS, DAMPING = 3.0, 0.2  # by which the motors hold joints to it

LEGS = np.deg2rad([45, 135, 225, 315])  # where they point, from the ant's front
_DOWNWARD = np.array([1, -1, -1, 1])  # the sense in which an ankle lowers its foot
_TURN = np.array([0, np.pi, 0, np.pi])  # opposite legs step together
_MOTORS = [3, 0, 1, 2]  # legs in the order of the actuators


def torques(
    positions: NDArray[np.float64], velocities: NDArray[np.float64], time: float, direction: float
) -> NDArray[np.float64]:
    """Return the action ``(8,)``, not clipped, that walks towards ``direction``, in radians.

    ``positions`` ``(15,)`` and ``velocities`` ``(14,)`` are MuJoCo's, ``time`` is in seconds. A
    leg that carries swings against the direction, as far as the sine of the angle between says.
    """
    w, x, y, z = positions[3:7]
    front = np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    phases = 2 * np.pi * FREQUENCY * time + _TURN
    hips = -SWING * np.sin(LEGS - direction + front) * np.cos(phases)
    ankles = _DOWNWARD * np.where(np.sin(phases) > 0, DOWN, UP)
    goals = np.stack([hips, ankles], 1).reshape(-1)
    action = STIFFNESS * (goals - positions[7:15]) - DAMPING * velocities[6:14]
    legs: NDArray[np.float64] = action.reshape(4, 2)[_MOTORS].reshape(-1)
    return legs
