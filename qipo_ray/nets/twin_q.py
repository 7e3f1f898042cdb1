"""Twin Q: K pairs of critics a member, as 2KN rows; a member's follow one another."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import layer_norm, relu

from qipo_ray.nets.stack import Params, initial_weights, linear, linear_shapes

BLOCK = 512  # rows at once where no gradient is wanted on the CPU: they stay in its cache


class TwinQ:
    """MLPs over [action, state] with ReLU, ``layers`` hidden layers (paper: 3 of 256), in pairs.

    ``rows`` are those of a member, 2K: pair by pair. The paper has one pair.
    """

    def __init__(
        self, state_dim: int, action_dim: int, width: int, layers: int, *, norm: bool, pairs: int
    ) -> None:
        self.layers, self.norm, self.rows = layers, norm, 2 * pairs
        self.shapes: dict[str, tuple[int, ...]] = {}
        inputs = action_dim + state_dim
        for i in range(layers):
            self.shapes |= linear_shapes(f"hidden{i}", inputs, width)
            if norm:
                self.shapes |= {f"norm{i}.scale": (1, width), f"norm{i}.shift": (1, width)}
            inputs = width
        self.shapes |= linear_shapes("out", width, 1)

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
        for i in range(self.layers):
            h = linear(params, f"hidden{i}", h)
            if self.norm:
                # Departure D13: layer norm.
                h = layer_norm(h, h.shape[-1:])
                h = torch.addcmul(params[f"norm{i}.shift"], h, params[f"norm{i}.scale"])
            h = relu(h)
        return linear(params, "out", h).view(n, self.rows, b, m)

    @torch.no_grad()
    def lowest(self, params: Params, states: Tensor, actions: Tensor) -> Tensor:
        """Return the minimum of each pair ``(N, K, B, M)``, arguments as above, no graph."""
        size, m = actions.shape[1:3]
        step = max(1, BLOCK // m) if actions.device.type == "cpu" else size
        parts = [
            self(params, s, a).unflatten(1, (-1, 2)).amin(2)
            for s, a in zip(states.split(step, 1), actions.split(step, 1), strict=True)
        ]
        return torch.cat(parts, 2)

    def fresh(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the initial weights of one critic."""
        return initial_weights(self.shapes, generator)
