"""The interfaces of environments: one episode at a time, or many stepped together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

# Which recorded observations `set_state` can restore: any row's, or, where an observation holds
# no velocities, only that of an episode's first row, which is at rest.
RestorableFrom = Literal["any_row", "episode_start"]


class EnvStep(NamedTuple):
    """What one step of one episode returns."""

    observation: NDArray[np.floating]  # (S,), the state reached, in D4RL's layout
    reward: float
    terminated: bool  # a true end; the rollout ends an episode at the horizon
    success: bool  # always False in a task without a goal


class Simulator(Protocol):
    """What one episode and many stepped together have in common; of many, it is episode 0."""

    action_size: int
    success_steps: int  # steps with ``success`` that an episode needs; 0: the task has no goal
    restorable_from: RestorableFrom

    def set_state(self, observation: NDArray[np.floating]) -> bool:
        """Take the state of a recorded observation ``(S,)``; False if it does not hold all.

        A reward that then depends on what is not observed is NaN.
        """

    def render(self) -> NDArray[np.uint8]:
        """Return how the state looks now, ``(H, W, 3)``; ``UserError`` if it cannot be drawn."""

    def close(self) -> None:
        """Free what is held."""


class Env(Simulator, Protocol):
    """One episode at a time of one task; it never resets itself."""

    def reset(self, seed: int) -> NDArray[np.floating]:
        """Return the first observation ``(S,)`` of a new episode."""

    def step(self, action: NDArray[np.floating]) -> EnvStep:
        """Return what an action ``(A,)`` in [-1, 1] does."""


class VectorStep(NamedTuple):
    """What one step returns for the L stepped episodes."""

    observations: NDArray[np.float32]  # (L, S), the states reached
    rewards: NDArray[np.float64]  # (L,)
    terminated: NDArray[np.bool_]  # (L,), true ends, without the horizon
    success: NDArray[np.bool_]  # (L,), all False in a task without a goal


class VectorEnv(Simulator, Protocol):
    """E independent episodes of one task, stepped together; no episode resets itself.

    An episode depends on its own seed and actions alone, not on the others beside it.
    """

    def reset(self, seeds: Sequence[int]) -> NDArray[np.float32]:
        """Return the first observations ``(E, S)`` of one new episode per seed."""

    def step(self, live: NDArray[np.intp], actions: NDArray[np.floating]) -> VectorStep:
        """Return what actions ``(L, A)`` in [-1, 1] do in the episodes ``live``, ``(L,)``."""
