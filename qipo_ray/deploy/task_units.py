"""A policy in the unit of its task's actions, as the environment takes them."""

from __future__ import annotations

import torch
from torch import Tensor

from qipo_ray.data.tasks import OwnTask
from qipo_ray.deploy.finished_run import FinishedRun
from qipo_ray.train.checkpoint_policy import CheckpointPolicy


class UnitPolicy(CheckpointPolicy):
    """The policy of a user's own task, whose actions lie in bounds of its own."""

    def __init__(self, run: FinishedRun, own: OwnTask) -> None:
        super().__init__(run.config, run.state())
        self.low, self.high = (
            torch.tensor(end, dtype=torch.float32).expand(self.action_dim)
            for end in (own.low, own.high)
        )

    def forward(self, observations: Tensor, noise: Tensor) -> Tensor:
        """Return actions ``(B, A)`` between the bounds; beyond them nothing is executed."""
        actions = super().forward(observations, noise).clamp(-1, 1)
        scaled = self.low + (actions + 1) / 2 * (self.high - self.low)
        return torch.minimum(torch.maximum(scaled, self.low), self.high)  # rounding


def final_policy(run: FinishedRun) -> CheckpointPolicy:
    """Return the final policy of a run, with actions as its task's environment takes them."""
    own = run.task.own
    if own is None or not own.scaled:
        return CheckpointPolicy(run.config, run.state())
    return UnitPolicy(run, own)
