"""``point``: a point in the square [-1, 1]^2 that should go to (0.6, 0.6); numpy only.

The smallest task on which offline improvement shows: the behaviour of ``point_rows`` moves in
eight directions without regard to the goal, and the best actions lie among its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qipo_ray.evaluation.env import RestorableFrom, VectorStep
from qipo_ray.evaluation.pixel_canvas import BODY, Canvas
from qipo_ray.evaluation.pixel_canvas import GOAL as GREEN

GOAL = (0.6, 0.6)
STEP = 0.15  # length of one step at |action| = 1
STATE_NOISE = 0.01  # standard deviation of the noise on each coordinate, per step
DIRECTIONS = 8  # of the behaviour
SPEED = 0.9  # |action| of the behaviour before its noise
ACTION_NOISE = 0.15  # standard deviation of the behaviour's noise


def advance(
    positions: NDArray[np.floating], actions: NDArray[np.floating], noise: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return the positions ``(L, 2)`` after one step; ``noise`` is in units of ``STATE_NOISE``."""
    moved = positions + STEP * np.clip(actions, -1, 1) + STATE_NOISE * noise
    return np.clip(moved, -1, 1)


def reward(positions: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return minus the distance to the goal ``(L,)`` of the positions reached ``(L, 2)``."""
    return -np.hypot(positions[:, 0] - GOAL[0], positions[:, 1] - GOAL[1]).astype(np.float64)


def behaviour(count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return actions ``(count, 2)`` of the data's behaviour: a random direction, plus noise."""
    angle = rng.integers(DIRECTIONS, size=count) * (2 * np.pi / DIRECTIONS)
    centre = SPEED * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    noisy = centre + ACTION_NOISE * rng.standard_normal((count, 2))
    return np.clip(noisy, -1, 1).astype(np.float32)


class PointVectorEnv:
    """E points; an episode's start and noise are drawn from its seed when it is reset."""

    action_size = 2
    success_steps = 0
    restorable_from: RestorableFrom = "any_row"

    def __init__(self, horizon: int) -> None:
        """Take the most steps that an episode will have."""
        self._horizon = horizon
        self._positions = np.empty((0, 2))
        self._noise = np.empty((0, horizon, 2))
        self._steps = np.empty(0, dtype=np.intp)

    def reset(self, seeds: Sequence[int]) -> NDArray[np.float32]:
        """Return uniform start positions ``(E, 2)``, one per seed."""
        streams = [np.random.default_rng(seed) for seed in seeds]
        self._positions = np.stack([rng.uniform(-1, 1, 2) for rng in streams])
        self._noise = np.stack([rng.standard_normal((self._horizon, 2)) for rng in streams])
        self._steps = np.zeros(len(streams), dtype=np.intp)
        return self._positions.astype(np.float32)

    def step(self, live: NDArray[np.intp], actions: NDArray[np.floating]) -> VectorStep:
        """Return what actions ``(L, 2)`` do; no episode ends before the horizon."""
        noise = self._noise[live, self._steps[live]]
        reached = advance(self._positions[live], actions, noise)
        self._positions[live] = reached
        self._steps[live] += 1
        never = np.zeros(len(live), bool)
        return VectorStep(reached.astype(np.float32), reward(reached), never, never)

    def set_state(self, observation: NDArray[np.floating]) -> bool:
        """Put point 0 where a recorded one was; its next step is free of noise."""
        self._positions = observation[None].astype(np.float64)
        self._noise = np.zeros((1, self._horizon, 2))
        self._steps = np.zeros(1, dtype=np.intp)
        return True

    def render(self) -> NDArray[np.uint8]:
        """Return point 0 in its square, and the goal."""
        canvas = Canvas((-1.05, 1.05), (1.05, -1.05))
        canvas.disc(*GOAL, 0.08, GREEN)
        x, y = self._positions[0].tolist()
        canvas.disc(x, y, 0.04, BODY)
        return canvas.render()

    def close(self) -> None:
        """Do nothing: arrays are all there is."""


def point_rows(rows: int, seed: int, horizon: int) -> dict[str, NDArray[np.generic]]:
    """Return ``rows`` rows of the behaviour in D4RL's layout, episode after episode.

    Every episode has ``horizon`` rows; the last is cut where the rows end. Rewards belong to the
    state reached, and ``next_observations`` holds it, so that no row is lost at the horizon.
    """
    rng = np.random.default_rng(seed)
    episodes = -(-rows // horizon)
    positions = rng.uniform(-1, 1, (episodes, 2))
    states, moves = [positions], []
    for _ in range(horizon):
        moves.append(behaviour(episodes, rng))
        states.append(advance(states[-1], moves[-1], rng.standard_normal((episodes, 2))))
    visited = np.stack(states, axis=1)  # (episodes, horizon + 1, 2)
    observations = visited[:, :-1].reshape(-1, 2)[:rows]
    reached = visited[:, 1:].reshape(-1, 2)[:rows]
    timeouts = np.arange(1, rows + 1) % horizon == 0
    return {
        "observations": observations.astype(np.float32),
        "actions": np.stack(moves, axis=1).reshape(-1, 2)[:rows],
        "rewards": reward(reached).astype(np.float32),
        "next_observations": reached.astype(np.float32),
        "terminals": np.zeros(rows, bool),
        "timeouts": timeouts,
        "infos/goal": np.tile(np.array(GOAL, np.float32), (rows, 1)),
        "infos/qpos": observations.astype(np.float32),
    }
