"""Scores of snapshots: a policy from a state, rolled out under a protocol, cached by address."""

from __future__ import annotations

import statistics
import time

import numpy as np
import torch

from qipo_ray.agent import ActionSampler, Diverged, State
from qipo_ray.agent.pack import stream
from qipo_ray.agent.tensors import Normaliser
from qipo_ray.config import Config
from qipo_ray.data.tasks import Task
from qipo_ray.evaluation.rollout import rollout
from qipo_ray.evaluation.score import env_seeds, score
from qipo_ray.nets import Stack
from qipo_ray.train.report import Score


class SnapshotPolicy:
    """The policy of one snapshot: one action a state from noise, no best-of-N (design 8)."""

    def __init__(self, config: Config, state: State, episodes: int) -> None:
        normaliser, action_dim = state["normaliser"], state["action_dim"]
        self.normaliser = Normaliser(**normaliser)
        state_dim = len(normaliser["mean"])
        self.sampler = ActionSampler(config, state_dim, action_dim)
        stack = Stack(self.sampler.network.shapes, torch.device("cpu"), trainable=False)
        weights = state["weights"]
        name = config.evaluation.weights if state["stage"] == "policy" else "online"
        stack.append(weights[name])
        self.params, self.shape = stack.params, (episodes, action_dim)
        self.generator = stream(0, "evaluation", "actions")

    def __call__(self, observations: np.ndarray, live: np.ndarray) -> np.ndarray:
        """Return actions ``(L, A)`` for observations ``(L, S)`` of the episodes ``live`` ``(L,)``.

        Noise is drawn for all episodes, so one that ended does not move the others' draws.
        """
        noise = torch.randn(self.shape, generator=self.generator)[torch.from_numpy(live)]
        states = self.normaliser(torch.from_numpy(observations)).unsqueeze(0)
        actions: np.ndarray = self.sampler(self.params, states, noise.unsqueeze(0))[0].numpy()
        return actions


def score_state(task: Task, config: Config, state: State, episodes: int) -> Score:
    """Return the score of a behaviour or policy state over ``episodes`` with the fixed seeds.

    ``Diverged`` if the policy's actions are not finite.
    """
    policy = SnapshotPolicy(config, state, episodes)
    try:
        rollouts = rollout(task, policy, env_seeds(episodes))
    except ValueError as error:
        raise Diverged(str(error)) from error
    return score(task, rollouts, state["updates"])


def action_latency_ms(config: Config, state: State, repeats: int = 20) -> float:
    """Return the median milliseconds to choose one action for one state on the CPU."""
    policy = SnapshotPolicy(config, state, 1)
    observation = np.zeros((1, len(state["normaliser"]["mean"])), np.float32)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        policy(observation, np.zeros(1, np.int64))
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)
