"""What IQL, TD3+BC and FQL share, and users' methods may: a policy of one pass, twin critics."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from qipo_ray.agent.pack import DIVERGED_AT, Pack
from qipo_ray.agent.tensors import Tensors
from qipo_ray.config import Config, method_of
from qipo_ray.config.baselines import DirectMethod
from qipo_ray.config.run_methods import settings_of
from qipo_ray.nets.mlp import DirectPolicy, Mlp, OneStepPolicy
from qipo_ray.nets.stack import Params


def direct_settings(config: Config) -> DirectMethod:
    """Return the settings of the configuration's method."""
    return cast(DirectMethod, settings_of(config))


def direct_policy(config: Config, state_dim: int, action_dim: int) -> DirectPolicy:
    """Return a deterministic policy of one pass."""
    s = direct_settings(config)
    return DirectPolicy(state_dim, action_dim, s.width, s.layers, spread=False)


def gaussian_policy(config: Config, state_dim: int, action_dim: int) -> DirectPolicy:
    """Return a policy that is trained as a Gaussian and acts by its mean."""
    s = direct_settings(config)
    return DirectPolicy(state_dim, action_dim, s.width, s.layers, spread=True)


def one_step_policy(config: Config, state_dim: int, action_dim: int) -> DirectPolicy:
    """Return a policy that makes an action of noise in one pass."""
    s = direct_settings(config)
    return OneStepPolicy(state_dim, action_dim, s.width, s.layers)


class DirectPack(Pack):
    """Members with the stacks ``online`` (the policy), ``critic`` and ``target`` (two rows)."""

    stage = "policy"

    def __init__(self, config: Config, data: Tensors, *, norm: bool = False) -> None:
        super().__init__(config, data)
        self.half = False  # Q and the policy that follows it: in single precision always
        settings, states, actions = direct_settings(config), data.state_dim, data.action_dim
        self.batch_size, self.discount = settings.batch_size, settings.discount
        self.far = DIVERGED_AT * data.largest_return(settings.discount)
        self.actor: DirectPolicy = method_of(config).part("network")(config, states, actions)
        self.q = Mlp(states + actions, 1, settings.width, settings.layers, norm=norm)
        self.online = self._stack("online", self.actor.shapes, trainable=True)
        self.critic = self._stack("critic", self.q.shapes, 2, trainable=True)
        self.target = self._stack("target", self.q.shapes, 2)

    def _rate(self, config: Config) -> float:
        return direct_settings(config).learning_rate

    def _fresh_twins(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the first rows of the critics, and of their targets, which begin there."""
        twins = [self.critic.pack_row(self.q.fresh(generator)) for _ in range(2)]
        return {"critic": torch.cat(twins), "target": torch.cat(twins)}

    def _limit(self, name: str) -> float:
        return self.far if name == "q_data" else super()._limit(name)

    def _twins(self, params: Params, pairs: Tensor) -> Tensor:
        """Return both Q ``(N, 2, B)`` of states with actions ``(N, B, S + A)``."""
        n, b, inputs = pairs.shape
        both = pairs.unsqueeze(1).expand(-1, 2, -1, -1).reshape(2 * n, b, inputs)
        return self.q(params, both).view(n, 2, b)

    def _bellman(self, rows: Tensor, later: Tensor) -> Tensor:
        """Return ``r + discount (1 - d) later`` at rows ``(N, B)`` of the data."""
        going_on = 1 - self.data.terminals[rows]
        return self.data.rewards[rows] + self.discount * going_on * later
