"""Signals: what is measured of a policy without a simulator, for a search to go by.

Equal states, settings and seed give equal signals. They draw from streams of their own, so that a
run trains the same whether they are measured or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import torch
from torch import Generator, Tensor

from qipo_ray.agent import Diverged, State, Tensors
from qipo_ray.agent.blaming import blaming
from qipo_ray.agent.fitted_q import Act, FixedPolicy, fitted_q
from qipo_ray.agent.offline_errors import behaviour_loss, td_error
from qipo_ray.config import Config
from qipo_ray.config.evaluations import fitted_q_updates
from qipo_ray.errors import Failure, UserError
from qipo_ray.study.job import EvalPoint, Job
from qipo_ray.study.job_events import Score
from qipo_ray.train.checkpoint_policy import CheckpointPolicy
from qipo_ray.train.job_store import JobStore

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


class SignalMeter:
    """Measures what jobs of a store are due for: those of one pack side by side, or one alone."""

    def __init__(self, job_store: JobStore) -> None:
        self.job_store = job_store
        self.ready: dict[tuple[str, int], Score] = {}  # by key and updates

    def together(self, due: Sequence[tuple[Job, State]], data: Tensors) -> None:
        """Measure jobs of one pack that are alike, to be asked for one by one.

        Where that fails nothing is ready: which of them it was shows when each is asked for.
        """
        alike = [
            (job, state)
            for job, state in due
            if _alike(job.config, due[0][0].config)
            and job.distilled is None  # what may act is made later
            and self.job_store.score(job, EvalPoint(state["updates"], 0)) is None
        ]
        self.ready = {}
        if len(alike) > 1:
            with suppress(Diverged, UserError, Failure):
                for (job, state), signals in zip(alike, self._of(alike, data), strict=True):
                    self.ready[job.key, state["updates"]] = signals

    def signals(self, job: Job, state: State, data: Tensors) -> Score:
        """Return the signals of a job in a state, in the form that records hold."""
        signals = self.ready.pop((job.key, state["updates"]), None)
        return self._of([(job, state)], data)[0] if signals is None else signals

    def _of(self, due: Sequence[tuple[Job, State]], data: Tensors) -> list[Score]:
        config = due[0][0].config
        length = fitted_q_updates(config)
        with blaming(config):
            policies = [self._fixed(job, state) for job, state in due]
            worths = fitted_q(policies, data, length) if length else [None] * len(policies)
            return [
                {
                    "updates": state["updates"],
                    "fqe": None if worth is None else vars(worth),
                    "td_error": td_error(policy, data),
                    "behaviour_loss": behaviour_loss(policy, data),
                }
                for (_, state), policy, worth in zip(due, policies, worths, strict=True)
            ]

    def _fixed(self, job: Job, state: State) -> FixedPolicy:
        """Return a job's policy as it acts in this state, with its run's critic."""
        acting = self.job_store.acting(job.config, state, (*job.upstream, job.snapshot))
        critic = next((ref for ref in job.upstream if ref.stage == "critic"), None)
        return FixedPolicy(
            job.config,
            job.seed,
            acting_of(job.config, acting),
            None if critic is None else self.job_store.state(critic),
        )


def _alike(config: Config, beside: Config) -> bool:
    """Return whether fitted Q evaluation can take policies of two configurations of one pack."""
    same = config.critic.batch_size == beside.critic.batch_size
    return same and config.evaluation == beside.evaluation
