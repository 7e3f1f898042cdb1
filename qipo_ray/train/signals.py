"""Signals: what is measured of a policy without a simulator, for a search to go by.

Equal states, settings and seed give equal signals. They draw from streams of their own, so that a
run trains the same whether they are measured or not.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from qipo_ray.agent import Diverged, State, Tensors
from qipo_ray.agent.blaming import blaming
from qipo_ray.agent.fitted_q import Act, FixedPolicy, fitted_q
from qipo_ray.agent.offline_errors import behaviour_loss, td_error
from qipo_ray.config import Config
from qipo_ray.config.evaluations import fitted_q_updates
from qipo_ray.study.job_events import Score
from qipo_ray.train.checkpoint_policy import CheckpointPolicy

CHUNK = 4096  # states at once through a policy


def acting_of(config: Config, state: State) -> Act:
    """Return how a policy acts at normalised states, as a simulator would take it.

    ``Diverged`` if an action is not finite.
    """
    policy = CheckpointPolicy(config, state)

    def act(states: Tensor, generator: Generator) -> Tensor:
        parts = []
        for part in states.split(CHUNK):
            noise = torch.randn(len(part), policy.noise_dim, generator=generator)
            parts.append(policy.at_normalised(part, noise))
        actions = torch.cat(parts)
        if not actions.isfinite().all():
            raise Diverged("the policy returned an action at the data's states that is not finite")
        return actions.clamp(-1, 1)

    return act


def signals_of(policies: Sequence[FixedPolicy], data: Tensors, updates: int) -> list[Score]:
    """Return the signals of policies after ``updates``, in the form that records hold.

    They are alike in their settings of ``evaluation`` and the shape of their critics.
    """
    length = fitted_q_updates(policies[0].config)
    with blaming(policies[0].config):
        worths = fitted_q(policies, data, length) if length else [None] * len(policies)
        return [
            {
                "updates": updates,
                "fqe": None if worth is None else vars(worth),
                "td_error": td_error(policy, data),
                "behaviour_loss": behaviour_loss(policy, data),
            }
            for policy, worth in zip(policies, worths, strict=True)
        ]
