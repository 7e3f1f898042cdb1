"""A vector environment of single ones: one per episode, stepped only while its episode is alive.

Gymnasium's vector environments reset a finished episode by themselves, which would step (and
pay for) phantom episodes until the slowest one ends; single environments do not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from qipo_ray.evaluation.env import Env, VectorStep


class SyncVectorEnv:
    """E environments of one task, made when they are needed."""

    def __init__(self, make: Callable[[], Env]) -> None:
        """Make the first environment, whose attributes all have in common."""
        self._make = make
        self._envs = [make()]
        self.action_size = self._envs[0].action_size
        self.success_steps = self._envs[0].success_steps
        self.restorable_from = self._envs[0].restorable_from

    def reset(self, seeds: Sequence[int]) -> NDArray[np.float32]:
        """Return the first observations ``(E, S)``."""
        while len(self._envs) < len(seeds):
            self._envs.append(self._make())
        pairs = zip(self._envs, seeds, strict=False)
        return np.stack([env.reset(seed) for env, seed in pairs]).astype(np.float32)

    def step(self, live: NDArray[np.intp], actions: NDArray[np.floating]) -> VectorStep:
        """Return what actions ``(L, A)`` do in the environments ``live``, ``(L,)``."""
        pairs = zip(live.tolist(), actions, strict=True)
        steps = [self._envs[index].step(action) for index, action in pairs]
        observations, rewards, terminated, success = zip(*steps, strict=True)
        return VectorStep(
            np.stack(observations).astype(np.float32),
            np.array(rewards, dtype=np.float64),
            np.array(terminated, dtype=bool),
            np.array(success, dtype=bool),
        )

    def set_state(self, observation: NDArray[np.floating]) -> bool:
        """Put episode 0 into the state of a recorded observation ``(S,)``."""
        return self._envs[0].set_state(observation)

    def render(self) -> NDArray[np.uint8]:
        """Return how episode 0 looks now, ``(H, W, 3)``."""
        return self._envs[0].render()

    def close(self) -> None:
        """Close every environment."""
        for env in self._envs:
            env.close()
