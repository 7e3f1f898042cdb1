"""The network of an energy of noised actions, and its slope without automatic gradients."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import silu

from qipo_ray.nets.policy_net import TIME_DIM, fresh_with_frequencies, time_features
from qipo_ray.nets.stack import Params, linear, linear_shapes


class EnergyNet:
    """An MLP over [x, 32 features of time, state] with SiLU, as QGPO's code has it: 4 of 256."""

    def __init__(self, state_dim: int, action_dim: int, width: int, layers: int) -> None:
        self.layers, self.action_dim = layers, action_dim
        self.shapes = linear_shapes("time", TIME_DIM, TIME_DIM)
        self.shapes |= {"frequency.frozen": (1, TIME_DIM // 2)}
        inputs = action_dim + TIME_DIM + state_dim
        for i in range(layers):
            self.shapes |= linear_shapes(f"hidden{i}", inputs if i == 0 else width, width)
        # Without a bias: energies count up to a constant, and Adam would follow its rounding.
        self.shapes |= {"out.weight": (width, 1)}

    def __call__(self, params: Params, states: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """Return energies ``(N, R)`` for ``(N, R, S)``, ``(N, R, A)`` and times ``(N, R)``."""
        last = silu(self._before(params, states, x, t)[-1])
        return (last @ params["out.weight"]).squeeze(-1)

    def slope(self, params: Params, states: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """Return the gradient of the energies by ``x``, ``(N, R, A)``: the chain rule by hand.

        It needs no graph, so that a policy that acts by it can be written to a file.
        """
        toward = params["out.weight"].mT
        for i, before in reversed([*enumerate(self._before(params, states, x, t))]):
            gate = before.sigmoid()
            toward = (toward * gate * (1 + before * (1 - gate))) @ params[f"hidden{i}.weight"].mT
        return toward[..., : self.action_dim]

    def _before(self, params: Params, states: Tensor, x: Tensor, t: Tensor) -> list[Tensor]:
        """Return what each hidden layer has before its SiLU, ``(N, R, width)``."""
        layers: list[Tensor] = []
        h = torch.cat([x, time_features(params, t), states], -1)
        for i in range(self.layers):
            layers.append(linear(params, f"hidden{i}", h))
            h = silu(layers[-1])
        return layers

    def fresh(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the initial weights of one network."""
        return fresh_with_frequencies(self.shapes, generator)
