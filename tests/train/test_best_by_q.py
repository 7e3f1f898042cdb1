"""The score of the best of 16 actions by Q, against a policy that looks at one state at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from qipo_ray.agent.critic_report import ACTIONS
from qipo_ray.agent.judge import Judge
from qipo_ray.agent.pack import stream
from qipo_ray.data.tasks import get_task
from qipo_ray.evaluation.rollout import rollout
from qipo_ray.evaluation.score import env_seeds, score
from qipo_ray.study.job import Run
from qipo_ray.train.best_by_q import score_best_by_q
from qipo_ray.train.checkpoint_policy import CheckpointPolicy
from qipo_ray.train.job_store import JobStore


def test_the_best_by_q_is_taken_of_what_the_behaviour_proposes(run: Run, trained: Path) -> None:
    behaviour, critic = (JobStore(trained).state(job.snapshot) for job in run.jobs[:2])
    policy, judge = CheckpointPolicy(run.config, behaviour), Judge(run.config, critic)
    mean, scale = (critic["normaliser"][name].numpy() for name in ("mean", "scale"))
    generator = stream(0, "evaluation", "actions")

    def act(observations: np.ndarray, live: np.ndarray) -> np.ndarray:
        # Noise for all episodes: one that has ended does not move the others' draws.
        noise = torch.randn(3, ACTIONS, 2, generator=generator)[torch.from_numpy(live)]
        actions = []
        for observation, start in zip(observations, noise, strict=True):
            proposed = policy(torch.from_numpy(observation).expand(ACTIONS, -1), start)
            state = torch.from_numpy((observation - mean) / scale).clamp(-10, 10)
            q = [min(judge.twins(state[None], a[None, None]).flatten().tolist()) for a in proposed]
            actions.append(proposed[int(np.argmax(q))].numpy())
        return np.stack(actions)

    task = get_task(run.task)
    expected = score(task, rollout(task, act, env_seeds(3)), critic["updates"])
    assert score_best_by_q(task, run.config, behaviour, critic, 3) == pytest.approx(expected)
