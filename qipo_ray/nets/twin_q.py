"""Twin Q: K pairs of critics a member, as 2KN rows; a member's follow one another."""

from __future__ import annotations

import torch
from torch import Tensor

from qipo_ray.nets.mlp import Mlp
from qipo_ray.nets.stack import Params

BLOCK = 512  # rows at once where no gradient is wanted on the CPU: they stay in its cache


class TwinQ:
    """MLPs over [action, state] with ReLU, ``layers`` hidden layers (paper: 3 of 256), in pairs.

    ``rows`` are those of a member, 2K: pair by pair. The paper has one pair.
    """

    def __init__(
        self, state_dim: int, action_dim: int, width: int, layers: int, *, norm: bool, pairs: int
    ) -> None:
        self.rows = 2 * pairs
        self.network = Mlp(action_dim + state_dim, 1, width, layers, norm=norm)
        self.shapes = self.network.shapes

    def __call__(self, params: Params, states: Tensor, actions: Tensor) -> Tensor:
        """Return Q ``(N, 2K, B, M)`` for states ``(N, B, S)`` and actions ``(N, B, M, A)``.

        Always in single precision: actions differ by less than a bfloat16 of Q can tell.
        """
        with torch.autocast(actions.device.type, enabled=False):
            return self._forward(params, states, actions)

    def _forward(self, params: Params, states: Tensor, actions: Tensor) -> Tensor:
        n, b, m, _ = actions.shape
        expanded = states.unsqueeze(2).expand(-1, -1, m, -1)
        x = torch.cat([actions, expanded], -1).reshape(n, 1, b * m, -1)
        h = x.expand(-1, self.rows, -1, -1).reshape(self.rows * n, b * m, -1)
        return self.network(params, h).view(n, self.rows, b, m)

    @torch.no_grad()
    def lowest(self, params: Params, states: Tensor, actions: Tensor) -> Tensor:
        """Return the minimum of each pair ``(N, K, B, M)``, arguments as above, no graph."""
        if actions.device.type != "cpu" or torch.compiler.is_compiling():  # a graph has no blocks
            whole: Tensor = self(params, states, actions).unflatten(1, (-1, 2)).amin(2)
            return whole
        step = max(1, BLOCK // actions.shape[2])
        parts = [
            self(params, s, a).unflatten(1, (-1, 2)).amin(2)
            for s, a in zip(states.split(step, 1), actions.split(step, 1), strict=True)
        ]
        return torch.cat(parts, 2)

    def fresh(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the initial weights of one critic."""
        return self.network.fresh(generator)
