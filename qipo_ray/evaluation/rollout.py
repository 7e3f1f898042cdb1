"""Whole episodes of one policy, all episodes of a task side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qipo_ray.data.tasks import Task
from qipo_ray.evaluation.episode_recorder import EpisodeRecorder
from qipo_ray.evaluation.registry import make_env
from qipo_ray.evaluation.watchdog import Beat

# (observations (L, S) float32, live (L,) indices of their episodes) -> actions (L, A)
Policy = Callable[[NDArray[np.float32], NDArray[np.intp]], NDArray[np.floating]]


@dataclass(frozen=True)
class Rollouts:
    """E whole episodes."""

    returns: NDArray[np.float64]  # (E,), undiscounted
    lengths: NDArray[np.int64]  # (E,), steps
    success: NDArray[np.bool_] | None  # (E,), long enough at the goal; None: no goal


def rollout(
    task: Task,
    policy: Policy,
    seeds: Sequence[int],
    recorder: EpisodeRecorder | None = None,
    beat: Beat = lambda: None,
) -> Rollouts:
    """Return one episode per seed, each until it ends or the task's horizon.

    The policy gets the observations of the episodes still alive, in order, and their indices.
    Its actions are clipped to [-1, 1]. ``recorder`` sees the first episode, which it does not
    change. ``beat`` is called at each step.

    Raises:
        UserError: if the task's simulator is not available.
        ValueError: if an action is not finite; the text names the step.
        TypeError: if the policy returns another shape than ``(L, A)``.
    """
    envs = make_env(task)
    returns = np.zeros(len(seeds))
    lengths = np.zeros(len(seeds), np.int64)
    success_steps = np.zeros(len(seeds), np.int64)
    live = np.arange(len(seeds))
    try:
        observations = envs.reset(seeds)
        if recorder is not None:
            recorder.record(envs, 0)
        for step in range(task.horizon):
            beat()
            actions = np.asarray(policy(observations, live))
            _check(actions, (len(live), envs.action_size), step)
            result = envs.step(live, np.clip(actions, -1, 1))
            returns[live] += result.rewards
            lengths[live] += 1
            success_steps[live] += result.success
            if recorder is not None and live[0] == 0:
                recorder.record(envs, step + 1)
            alive = ~result.terminated
            live, observations = live[alive], result.observations[alive]
            if not live.size:
                break
    finally:
        envs.close()
    needed = envs.success_steps
    return Rollouts(returns, lengths, success_steps >= needed if needed else None)


def _check(actions: NDArray[np.floating], shape: tuple[int, int], step: int) -> None:
    if actions.shape != shape:
        raise TypeError(f"step {step}: the policy returned shape {actions.shape}, not {shape}")
    if not np.isfinite(actions).all():
        raise ValueError(f"step {step}: the policy returned an action that is not finite")
