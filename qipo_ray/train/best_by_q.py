"""The greedy score of a finished critic, which is part of its report.

It is that of the best of 16 actions that the behaviour proposes, by Q: what selection alone
is worth, without the policy stage. It takes online episodes. They choose nothing in a run, so they
are no selection episodes; a search, whose trials they would cost much, goes without.
"""

from __future__ import annotations

import numpy as np
import torch

from qipo_ray.agent import Diverged, State
from qipo_ray.agent.critic_report import ACTIONS
from qipo_ray.agent.judge import Judge
from qipo_ray.agent.pack import stream
from qipo_ray.config import Config
from qipo_ray.data.tasks import Task
from qipo_ray.evaluation.rollout import rollout
from qipo_ray.evaluation.score import env_seeds, score
from qipo_ray.study.job_events import Score
from qipo_ray.train.checkpoint_policy import CheckpointPolicy
from qipo_ray.train.scoring import NOISE_SEED


class BestByQ:
    """The policy that takes, of 16 actions that the behaviour proposes, the one of highest Q."""

    def __init__(self, config: Config, behaviour: State, critic: State, episodes: int) -> None:
        self.proposer = CheckpointPolicy(config, behaviour)
        self.judge = Judge(config, critic)
        self.shape = (episodes, ACTIONS, self.proposer.action_dim)
        self.generator = stream(NOISE_SEED, "evaluation", "actions")

    def __call__(self, observations: np.ndarray, live: np.ndarray) -> np.ndarray:
        """Return actions ``(L, A)`` for observations ``(L, S)`` of the episodes ``live``.

        Noise is drawn for all episodes, so one that ended does not move the others' draws.
        """
        noise = torch.randn(self.shape, generator=self.generator)[torch.from_numpy(live)]
        raw_states = torch.from_numpy(observations)
        repeated = raw_states.repeat_interleave(ACTIONS, 0)
        actions = self.proposer.propose(repeated, noise.flatten(0, 1)).view_as(noise)
        best = self.judge.value(self.proposer.normaliser(raw_states), actions).argmax(1)
        chosen: np.ndarray = actions[torch.arange(len(live)), best].numpy()
        return chosen


def score_best_by_q(
    task: Task, config: Config, behaviour: State, critic: State, episodes: int
) -> Score:
    """Return the score of the best of 16 by Q over ``episodes`` with the fixed seeds.

    ``Diverged`` if the behaviour's actions are not finite.
    """
    policy = BestByQ(config, behaviour, critic, episodes)
    try:
        rollouts = rollout(task, policy, env_seeds(episodes))
    except ValueError as error:
        raise Diverged(str(error)) from error
    return score(task, rollouts, critic["updates"])
