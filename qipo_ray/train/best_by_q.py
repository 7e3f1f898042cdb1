"""The greedy score of a finished critic, which is part of its report.

It is that of the best of 16 actions that the behaviour proposes, by Q: what selection alone
is worth, without the policy stage. It takes online episodes. They choose nothing in a run, so they
are no selection episodes; a search, whose trials they would cost much, goes without.
"""

from __future__ import annotations

from dataclasses import replace

from qipo_ray.agent import State
from qipo_ray.agent.best_of_n import judged_clone
from qipo_ray.agent.critic_report import ACTIONS
from qipo_ray.config import Config
from qipo_ray.config.baselines import BestOfN
from qipo_ray.data.tasks import Task
from qipo_ray.evaluation.watchdog import Beat
from qipo_ray.study.job_events import Score
from qipo_ray.train.scoring import score_state


def score_best_by_q(
    task: Task,
    config: Config,
    behaviour: State,
    critic: State,
    episodes: int,
    beat: Beat = lambda: None,
) -> Score:
    """Return the score of the best of 16 by Q over ``episodes`` with the fixed seeds.

    ``Diverged`` if the behaviour's actions are not finite.
    """
    greedy = replace(
        config,
        sampler=replace(config.sampler, best_of=1, one_step=False),  # of the policy, not this
        policy=replace(config.policy, method="bestofn"),
        bestofn=BestOfN(actions=ACTIONS, temperature=0.0),
    )
    weights = judged_clone(greedy, behaviour, critic)
    state = {**critic, "stage": "policy", "weights": weights}
    return score_state(task, greedy, state, episodes, beat=beat)
