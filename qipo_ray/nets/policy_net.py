"""Policy networks: what a flow or diffusion policy predicts at (state, noisy action, time)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.nn.functional import silu

from qipo_ray.nets.stack import Params, Shapes, initial_weights, linear, linear_shapes

TIME_DIM = 32  # of the features of time in the published networks
FREQUENCY_SCALE = 30.0


def time_features(params: Params, t: Tensor) -> Tensor:
    """Return features ``(N, R, 32)`` of times ``(N, R)``: an affine map of their waves."""
    angle = 2 * math.pi * t.unsqueeze(-1) * params["frequency.frozen"].detach()
    return linear(params, "time", torch.cat([angle.sin(), angle.cos()], -1))


def spread(shared: Tensor, rows: int) -> Tensor:
    """Return what R / P rows that follow one another share, ``(N, P, D)``, for each: (N, R, D)."""
    return (
        shared if shared.shape[1] == rows else shared.repeat_interleave(rows // shared.shape[1], 1)
    )


def fresh_with_frequencies(shapes: Shapes, generator: torch.Generator) -> dict[str, Tensor]:
    """Return initial weights of a network with ``time_features``."""
    trained = {k: v for k, v in shapes.items() if not k.endswith(".frozen")}
    weights = initial_weights(trained, generator)
    shape = shapes["frequency.frozen"]
    weights["frequency.frozen"] = FREQUENCY_SCALE * torch.randn(shape, generator=generator)
    return weights


class PolicyNet(ABC):
    """A network of N members: shapes of one member, fresh weights, and the forward pass."""

    shapes: dict[str, tuple[int, ...]]

    @abstractmethod
    def __call__(self, params: Params, states: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """Return predictions ``(N, R, A)`` for ``x`` ``(N, R, A)``.

        ``states`` is ``(N, P, S)`` and ``t`` is ``(N, P)``: a state and a time for each R / P rows
        of ``x`` that follow one another. What depends on them alone is computed once.
        """

    def fresh(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the initial weights of one member."""
        return initial_weights(self.shapes, generator)


# Departure D5: a small network of ours.
class Residual(PolicyNet):
    """A small residual MLP over [state, x, 16 sines and cosines of time]; output starts at 0."""

    frequencies = 16

    def __init__(self, state_dim: int, action_dim: int, width: int, blocks: int) -> None:
        self.blocks = blocks
        inputs = state_dim + action_dim + 2 * self.frequencies
        self.shapes = linear_shapes("in", inputs, width)
        for i in range(blocks):
            self.shapes |= linear_shapes(f"block{i}.a", width, width)
            self.shapes |= linear_shapes(f"block{i}.b", width, width)
        self.shapes |= linear_shapes("out", width, action_dim)

    def __call__(self, params: Params, states: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """Return predictions ``(N, R, A)``."""
        scale = torch.linspace(0, math.log(64.0), self.frequencies, device=x.device).exp()
        angle = t.unsqueeze(-1) * scale
        waves, rows = torch.cat([angle.sin(), angle.cos()], -1), x.shape[1]
        h = linear(params, "in", torch.cat([spread(states, rows), x, spread(waves, rows)], -1))
        for i in range(self.blocks):
            inner = silu(linear(params, f"block{i}.a", silu(h)))
            h = h + linear(params, f"block{i}.b", inner)
        return linear(params, "out", silu(h))

    def fresh(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Return initial weights whose output is 0."""
        weights = super().fresh(generator)
        weights["out.weight"].zero_()
        weights["out.bias"].zero_()
        return weights


class UNet(PolicyNet):
    """The paper's conditional residual U-shaped MLP, widths 512/256/128 for ``width = 512``.

    Time: 16 frozen random frequencies of scale 30, sines and cosines, linear to 32. State: linear
    to 32, SiLU. Both give the condition c of 128. A block is two linear layers with SiLU and a
    skip; the first adds a linear map of SiLU(c). 1,634,278 parameters at 17 and 6 dimensions
    (fact sheet of the paper's code). The division of the output by sigma is left to the path:
    here the network predicts the noise or the velocity itself.
    """

    condition_dim = 128

    def __init__(self, state_dim: int, action_dim: int, width: int) -> None:
        w1, w2, w3 = width, width // 2, width // 4
        self.blocks = {
            "d1": (action_dim, w1),
            "d2": (w1, w2),
            "d3": (w2, w3),
            "mid": (w3, w3),
            "u2": (2 * w3, w2),
            "u1": (2 * w2, w1),
        }
        self.shapes = linear_shapes("time", TIME_DIM, TIME_DIM)
        self.shapes |= linear_shapes("state", state_dim, TIME_DIM)
        self.shapes |= linear_shapes("condition.a", 2 * TIME_DIM, self.condition_dim)
        self.shapes |= linear_shapes("condition.b", self.condition_dim, self.condition_dim)
        for name, (inputs, outputs) in self.blocks.items():
            self.shapes |= linear_shapes(f"{name}.in", inputs, outputs)
            self.shapes |= linear_shapes(f"{name}.condition", self.condition_dim, outputs)
            self.shapes |= linear_shapes(f"{name}.out", outputs, outputs)
            if inputs != outputs:
                self.shapes |= linear_shapes(f"{name}.skip", inputs, outputs)
        self.shapes |= linear_shapes("out", 2 * w1, action_dim)
        self.shapes |= {"frequency.frozen": (1, TIME_DIM // 2)}

    def __call__(self, params: Params, states: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """Return predictions ``(N, R, A)``."""
        time = time_features(params, t)
        state = silu(linear(params, "state", states))
        c = silu(linear(params, "condition.a", torch.cat([time, state], -1)))
        c = silu(linear(params, "condition.b", c))
        d1 = self._block(params, "d1", x, c)
        d2 = self._block(params, "d2", d1, c)
        d3 = self._block(params, "d3", d2, c)
        mid = self._block(params, "mid", d3, c)
        u2 = self._block(params, "u2", torch.cat([d3, mid], -1), c)
        u1 = self._block(params, "u1", torch.cat([d2, u2], -1), c)
        # Departure D4: not divided by sigma, and the noise with its own sign, not the score.
        return linear(params, "out", torch.cat([d1, u1], -1))

    def _block(self, params: Params, name: str, x: Tensor, activated_condition: Tensor) -> Tensor:
        h = silu(linear(params, f"{name}.in", x))
        shift = linear(params, f"{name}.condition", activated_condition)
        if shift.shape[1] == h.shape[1]:
            h = h + shift
        else:
            h = (h.unflatten(1, (shift.shape[1], -1)) + shift.unsqueeze(2)).flatten(1, 2)
        h = silu(linear(params, f"{name}.out", h))
        return h + (linear(params, f"{name}.skip", x) if f"{name}.skip.weight" in params else x)

    def fresh(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Return initial weights; the frequencies are N(0, 30²) and are never trained."""
        return fresh_with_frequencies(self.shapes, generator)


def policy_net(
    network: str, state_dim: int, action_dim: int, width: int, blocks: int
) -> PolicyNet:
    """Return the network called ``residual`` or ``unet``; ``blocks`` counts for the first only."""
    if network == "residual":
        return Residual(state_dim, action_dim, width, blocks)
    return UNet(state_dim, action_dim, width)
