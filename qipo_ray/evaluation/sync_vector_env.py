"""Simulators made of worlds: one world per episode, stepped only while its episode is alive.

Gymnasium's vector environments reset a finished episode by themselves, which would step (and
pay for) phantom episodes until the slowest one ends; single worlds do not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from qipo_ray.evaluation.env import Reach, VectorStep


class EnvStep(NamedTuple):
    """What one step of one world returns."""

    observation: NDArray[np.floating]  # (S,), the state reached, in D4RL's layout
    reward: float
    terminated: bool  # a true end; the horizon is the rollout's business
    at_goal: bool


class Env(Protocol):
    """One episode at a time of one task; see ``Simulator`` for what the words mean."""

    action_size: int
    goal_steps: int
    reach: Reach

    def reset(self, seed: int) -> NDArray[np.floating]:
        """Return the first observation ``(S,)`` of a new episode."""

    def step(self, action: NDArray[np.floating]) -> EnvStep:
        """Return what an action ``(A,)`` in [-1, 1] does."""

    def place(self, observation: NDArray[np.floating]) -> bool:
        """Take the state of a recorded observation ``(S,)``; False if it does not hold all."""

    def picture(self) -> NDArray[np.uint8]:
        """Return how the world looks now, ``(H, W, 3)``."""

    def close(self) -> None:
        """Free what the world holds."""


class SyncVectorEnv:
    """E worlds of one kind, made when they are needed."""

    def __init__(self, make: Callable[[], Env]) -> None:
        """Make the first world, which tells what all have in common."""
        self._make = make
        self._worlds = [make()]
        self.action_size = self._worlds[0].action_size
        self.goal_steps = self._worlds[0].goal_steps
        self.reach = self._worlds[0].reach

    def reset(self, seeds: Sequence[int]) -> NDArray[np.float32]:
        """Return the first observations ``(E, S)``."""
        while len(self._worlds) < len(seeds):
            self._worlds.append(self._make())
        pairs = zip(self._worlds, seeds, strict=False)
        return np.stack([world.reset(seed) for world, seed in pairs]).astype(np.float32)

    def step(self, live: NDArray[np.intp], actions: NDArray[np.floating]) -> VectorStep:
        """Return what actions ``(L, A)`` do in the worlds ``live``."""
        pairs = zip(live.tolist(), actions, strict=True)
        moments = [self._worlds[index].step(action) for index, action in pairs]
        observations, rewards, terminated, at_goal = zip(*moments, strict=True)
        return VectorStep(
            np.stack(observations).astype(np.float32),
            np.array(rewards, dtype=np.float64),
            np.array(terminated, dtype=bool),
            np.array(at_goal, dtype=bool),
        )

    def place(self, observation: NDArray[np.floating]) -> bool:
        """Put episode 0 into the state of a recorded observation."""
        return self._worlds[0].place(observation)

    def picture(self) -> NDArray[np.uint8]:
        """Return how the first world looks now."""
        return self._worlds[0].picture()

    def close(self) -> None:
        """Close every world."""
        for world in self._worlds:
            world.close()
