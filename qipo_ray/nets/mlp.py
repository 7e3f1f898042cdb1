"""A plain network of affine layers and ReLU, N copies at once; policies made of it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import layer_norm, relu

from qipo_ray.nets.stack import Params, initial_weights, linear, linear_shapes


class Mlp:
    """``layers`` hidden layers of ``width`` neurons, an affine last layer called ``out``.

    With ``norm`` each hidden layer is normalised before its ReLU.
    """

    def __init__(
        self, inputs: int, outputs: int, width: int, layers: int, *, norm: bool = False
    ) -> None:
        self.layers, self.norm = layers, norm
        self.shapes: dict[str, tuple[int, ...]] = {}
        for i in range(layers):
            self.shapes |= linear_shapes(f"hidden{i}", inputs if i == 0 else width, width)
            if norm:
                self.shapes |= {f"norm{i}.scale": (1, width), f"norm{i}.shift": (1, width)}
        self.shapes |= linear_shapes("out", width if layers else inputs, outputs)

    def __call__(self, params: Params, x: Tensor) -> Tensor:
        """Return the outputs ``(N, B, out)`` of N networks for ``x (N, B, in)``."""
        for i in range(self.layers):
            x = linear(params, f"hidden{i}", x)
            if self.norm:
                # Departure D13: layer norm.
                x = layer_norm(x, x.shape[-1:])
                x = torch.addcmul(params[f"norm{i}.shift"], x, params[f"norm{i}.scale"])
            x = relu(x)
        return linear(params, "out", x)

    def fresh(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the initial weights of one network."""
        return initial_weights(self.shapes, generator)


class DirectPolicy:
    """A deterministic policy: one pass, actions in [-1, 1] by tanh; noise has no effect.

    With ``spread`` it holds a logarithm of the deviation of every action dimension, too, which a
    Gaussian policy is trained with and does not act by.
    """

    def __init__(
        self, state_dim: int, action_dim: int, width: int, layers: int, *, spread: bool
    ) -> None:
        self.network = Mlp(state_dim, action_dim, width, layers)
        self.action_dim = self.noise_dim = action_dim
        self.shapes = {**self.network.shapes}
        if spread:
            self.shapes |= {"log_std.shift": (1, action_dim)}

    def __call__(self, params: Params, states: Tensor, noise: Tensor | None = None) -> Tensor:
        """Return actions ``(N, B, A)`` for normalised states ``(N, B, S)``."""
        return torch.tanh(self.network(params, states))

    def fresh(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the initial weights of one policy; deviations start at 1."""
        return initial_weights(self.shapes, generator)


class OneStepPolicy(DirectPolicy):
    """A policy that makes an action of noise in one pass, cut at [-1, 1]."""

    def __init__(self, state_dim: int, action_dim: int, width: int, layers: int) -> None:
        super().__init__(state_dim + action_dim, action_dim, width, layers, spread=False)

    def __call__(self, params: Params, states: Tensor, noise: Tensor | None = None) -> Tensor:
        """Return actions ``(N, B, A)`` for normalised states ``(N, B, S)`` and noise; None: 0."""
        if noise is None:
            noise = states.new_zeros(*states.shape[:-1], self.action_dim)
        return self.network(params, torch.cat([states, noise], -1)).clamp(-1, 1)
