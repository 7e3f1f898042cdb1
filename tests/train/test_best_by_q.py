"""The policy that takes the best of 16 actions by Q, against one state at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from qipo_ray.agent.critic_report import ACTIONS
from qipo_ray.agent.judge import Judge
from qipo_ray.agent.pack import stream
from qipo_ray.study.job import Run
from qipo_ray.train.best_by_q import BestByQ
from qipo_ray.train.checkpoint_policy import CheckpointPolicy
from qipo_ray.train.job_store import JobStore


def test_the_best_by_q_is_taken_of_what_the_behaviour_proposes(run: Run, trained: Path) -> None:
    behaviour, critic = (JobStore(trained).state(job.snapshot) for job in run.jobs[:2])
    observations = np.linspace(-1, 1, 6, dtype=np.float32).reshape(3, 2)
    live = np.array([0, 2, 3])
    chosen = BestByQ(run.config, behaviour, critic, 4)(observations, live)
    # Episode 1 has ended: the others' draws are those of four episodes all the same.
    noise = torch.randn(4, ACTIONS, 2, generator=stream(0, "evaluation", "actions"))[live]
    policy, judge = CheckpointPolicy(run.config, behaviour), Judge(run.config, critic)
    mean, scale = (critic["normaliser"][name].numpy() for name in ("mean", "scale"))
    for i in range(3):
        proposed = policy(torch.from_numpy(observations[i]).expand(ACTIONS, -1), noise[i])
        state = torch.from_numpy((observations[i] - mean) / scale).clamp(-10, 10)
        q = [min(judge.twins(state[None], a[None, None]).flatten().tolist()) for a in proposed]
        np.testing.assert_allclose(chosen[i], proposed[int(np.argmax(q))].numpy(), atol=1e-5)
