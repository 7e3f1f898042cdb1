"""Inference with a trained policy: numpy arrays in, numpy arrays out."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from qipo_ray.agent import Diverged
from qipo_ray.deploy.finished_run import FinishedRun
from qipo_ray.deploy.task_units import final_policy
from qipo_ray.train.checkpoint_policy import CheckpointPolicy


class LoadedPolicy:
    """A trained policy with its own random generator; see ``act``."""

    def __init__(self, policy: CheckpointPolicy, seed: int, task: str, record: str) -> None:
        self.task = task
        self.record = record  # id
        self.state_dim, self.action_dim = policy.state_dim, policy.action_dim
        self._policy, self._random = policy, np.random.default_rng(seed)

    def act(self, observation: ArrayLike) -> NDArray[np.float32]:
        """Return an action ``(A,)`` for an observation ``(S,)``, or ``(B, A)`` for ``(B, S)``.

        Observations are as the task's simulator gives them, not normalised. One action is drawn
        per observation, from noise. With ``sampler.clip`` actions lie in [-1, 1]; without, an
        evaluation clips them when they are executed. Those of a user's own task are in the unit
        of its environment, and always within its bounds.

        Reproducible: with the same seed the k-th observation since loading gets the same noise,
        whether observations come one by one or in batches. The global random states of torch and
        numpy are neither read nor changed. Equal observations in equal batches give equal actions
        bit for bit with the same machine, number of torch threads, and versions of torch and
        numpy. Otherwise results round differently, and another numpy may draw other noise.

        Raises:
            TypeError: for an observation that holds no real numbers.
            ValueError: for another shape, or a number that is not finite in single precision.
            Diverged: if the policy's action is not finite.
        """
        states = self._checked(observation)
        batch = np.atleast_2d(states)
        noise = self._random.standard_normal(
            (len(batch), self._policy.noise_dim), dtype=np.float32
        )
        with torch.no_grad():
            drawn = self._policy(torch.from_numpy(batch), torch.from_numpy(noise))
        actions: NDArray[np.float32] = drawn.numpy()
        if not np.isfinite(actions).all():
            raise Diverged("the policy returned an action that is not finite")
        return actions[0] if states.ndim == 1 else actions

    def _checked(self, observation: ArrayLike) -> NDArray[np.float32]:
        """Return the observation as single-precision numbers ``(S,)`` or ``(B, S)``."""
        size = self.state_dim
        try:
            values = np.asarray(observation)
        except ValueError as problem:
            raise ValueError(f"observation: not an array ({problem})") from None
        if values.dtype.kind not in "fiu":
            raise TypeError(f"observation: expected real numbers, got the dtype {values.dtype}")
        if values.ndim not in (1, 2) or values.shape[-1] != size:
            raise ValueError(
                f"observation: expected the shape ({size},) or (B, {size}) of {self.task}, "
                f"got {values.shape}"
            )
        with np.errstate(over="ignore"):
            states = np.ascontiguousarray(values, dtype=np.float32)
        invalid = np.argwhere(~np.isfinite(states))
        if len(invalid):
            index = tuple(invalid[0].tolist())
            raise ValueError(f"observation{list(index)} is {values[index]}, not a finite number")
        return states


def policy_of(run: FinishedRun, seed: int) -> LoadedPolicy:
    """Return the final policy of a run, with a random stream from ``seed``."""
    return LoadedPolicy(final_policy(run), seed, run.record["task"], run.record["id"])
