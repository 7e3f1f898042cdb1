"""What the reports hold side by side: proposed actions, and the Q that judges them."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from qipo_ray.agent.ensemble import twin_q, value_of
from qipo_ray.agent.pack import State
from qipo_ray.agent.sampling import ActionSampler
from qipo_ray.agent.support import support_actions
from qipo_ray.agent.tensors import Tensors
from qipo_ray.config import Config
from qipo_ray.nets import Stack
from qipo_ray.nets.stack import Shapes

CPU = torch.device("cpu")


class Judge:
    """The Q of a critic's state, on the CPU unless another device is named."""

    def __init__(self, config: Config, critic: State, device: torch.device = CPU) -> None:
        self.settings = config.critic
        self.q = twin_q(config, len(critic["normaliser"]["mean"]), critic["action_dim"])
        self.stack = loaded(self.q.shapes, critic["weights"]["online"], device)

    @torch.no_grad()
    def twins(self, states: Tensor, actions: Tensor) -> Tensor:
        """Return all Q ``(2K, B, M)`` of normalised states ``(B, S)``, actions ``(B, M, A)``."""
        return self.q(self.stack.params, states.unsqueeze(0), actions.unsqueeze(0))[0]

    def value(self, states: Tensor, actions: Tensor) -> Tensor:
        """Return the Q ``(B, M)`` by which the policy stage weights."""
        return value_of(self.q, self.stack.params, states, actions, self.settings)

    def pairs(self, states: Tensor, actions: Tensor) -> Tensor:
        """Return the Q of each pair of twins, ``(K, B, M)``."""
        return self.q.lowest(self.stack.params, states.unsqueeze(0), actions.unsqueeze(0))[0]


def proposals(
    config: Config, weights: Tensor, data: Tensors, rows: Tensor, size: int, generator: Generator
) -> Tensor:
    """Return ``size`` actions of a policy at each of the ``rows (B,)`` of the data, ``(B, M, A)``.

    ``weights`` are its flat ones, ``(1, W)``.
    """
    sampler = ActionSampler(config, data.state_dim, data.action_dim)
    params, states = loaded(sampler.network.shapes, weights).params, data.states[rows].cpu()
    return support_actions(sampler, params, states, torch.arange(len(rows)), size, generator)


def loaded(shapes: Shapes, rows: Tensor, device: torch.device = CPU) -> Stack:
    """Return weights of a state, on the CPU unless another device is named."""
    stack = Stack(shapes, device, trainable=False)
    stack.append(rows)
    return stack
