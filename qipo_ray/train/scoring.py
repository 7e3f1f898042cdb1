"""Scores of snapshots: a policy from a state, rolled out under a protocol, cached by address."""

from __future__ import annotations

import statistics
import time

import numpy as np
import torch

from qipo_ray.agent import Diverged, State
from qipo_ray.agent.blaming import blaming
from qipo_ray.agent.pack import stream
from qipo_ray.config import Config
from qipo_ray.config.evaluations import signals_at
from qipo_ray.data.tasks import Task
from qipo_ray.evaluation.episode_recorder import EpisodeRecorder
from qipo_ray.evaluation.rollout import Policy, rollout
from qipo_ray.evaluation.score import FIRST_SEED, each_score, env_seeds, score
from qipo_ray.evaluation.watchdog import Beat
from qipo_ray.study.job_events import Score
from qipo_ray.train.checkpoint_policy import CheckpointPolicy

NOISE_SEED = 0  # of the actions' noise in every recorded score


def score_state(
    task: Task,
    config: Config,
    state: State,
    episodes: int,
    seed: int | None = None,
    recorder: EpisodeRecorder | None = None,
    beat: Beat = lambda: None,
) -> Score:
    """Return the score of a behaviour or policy state over ``episodes``.

    Without ``seed`` under the recorded protocol; with it the environment seeds begin there, and
    the actions' noise is another, too. ``recorder`` sees the first episode, ``beat`` each step.
    ``Diverged`` if the policy's actions are not finite.
    """
    noise_seed, first = (NOISE_SEED, FIRST_SEED) if seed is None else (seed, seed)
    with blaming(config):
        policy = _with_noise(CheckpointPolicy(config, state), episodes, noise_seed)
        try:
            rollouts = rollout(task, policy, env_seeds(episodes, first), recorder, beat)
        except ValueError as error:
            raise Diverged(str(error)) from error
    result = score(task, rollouts, state["updates"])
    # Signals are held against single episodes, see `leaderboard.signal_table`.
    return {**result, "each": each_score(task, rollouts)} if signals_at(config) else result


def _with_noise(policy: CheckpointPolicy, episodes: int, seed: int) -> Policy:
    """Return the policy as a rollout asks it: observations ``(L, S)`` of the live episodes.

    Noise is drawn for all episodes, so one that ended does not move the others' draws.
    """
    generator = stream(seed, "evaluation", "actions")

    def act(observations: np.ndarray, live: np.ndarray) -> np.ndarray:
        noise = torch.randn(episodes, policy.noise_dim, generator=generator)
        return policy(torch.from_numpy(observations), noise[torch.from_numpy(live)]).numpy()

    return act


def action_latency_ms(config: Config, state: State, repeats: int = 20) -> float:
    """Return the median milliseconds to choose one action for one state on the CPU."""
    policy = CheckpointPolicy(config, state)
    act = _with_noise(policy, 1, NOISE_SEED)
    observation, live = np.zeros((1, policy.state_dim), np.float32), np.zeros(1, np.int64)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        act(observation, live)
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)
