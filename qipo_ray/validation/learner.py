"""One small network trained on one loss: what every experiment of this room is made of."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from qipo_ray.flow import MIN_TIME, Field, Path, Prediction, batch_loss, regression_loss
from qipo_ray.nets import PolicyNet, RowAdam, Stack, policy_net
from qipo_ray.nets.stack import Params

# (states (B, S), x (B, A), t (B,)) -> (B, A); S may be 0
Network = Callable[[Tensor, Tensor, Tensor], Tensor]
Loss = Callable[[Network, torch.Generator], Tensor]
Batch = tuple[Tensor, Tensor, Tensor]  # states (B, S), points (B, A), weights (B,)


@dataclass(frozen=True)
class TrainingPlan:
    """How long and how large a training is."""

    updates: int
    batch: int = 512  # samples in the loss
    weighed: int = 8192  # samples that the weights are taken over, if the loss draws from them
    width: int = 128
    blocks: int = 2
    learning_rate: float = 4e-3  # at its peak; a short warm-up, then a cosine to 0
    ema: float = 0.99  # weights are averaged over about 1 / (1 - ema) updates


class WaveNet(PolicyNet):
    """The residual network, which also sees its inputs as waves.

    Sines and cosines at ``octaves`` doublings of pi / 4 let a small network follow fine structure:
    without them rings and spirals blur long before any distance of the plane notices.
    """

    def __init__(self, state_dim: int, dim: int, plan: TrainingPlan, octaves: int) -> None:
        self.scales = math.pi / 4 * 2.0 ** torch.arange(octaves)
        waves = 2 * octaves * (state_dim + dim)
        self.inner = policy_net("residual", state_dim + waves, dim, plan.width, plan.blocks)
        self.shapes = self.inner.shapes

    def __call__(self, params: Params, states: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """Return predictions ``(N, R, A)``."""
        angles = (torch.cat([states, x], -1).unsqueeze(-1) * self.scales).flatten(-2)
        return self.inner(params, torch.cat([states, angles.sin(), angles.cos()], -1), x, t)

    def fresh(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Return initial weights whose output is 0."""
        return self.inner.fresh(generator)


class Trained:
    """A trained network: the average of its weights over the last updates."""

    def __init__(self, network: PolicyNet, stack: Stack) -> None:
        self.network, self.params = network, stack.slice(0, 1)

    def __call__(self, states: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """Return predictions ``(B, A)`` for ``(B, S)``, ``(B, A)`` and times ``(B,)``."""
        return _single(self.network, self.params, states, x, t)

    def field(self, path: Path, predicts: Prediction, states: Tensor | None = None) -> Field:
        """Return the field of this network given states ``(B, S)``; none for a plain law."""

        def network(x: Tensor, t: Tensor) -> Tensor:
            inputs = x.new_zeros(len(x), 0) if states is None else states
            return self(inputs, x, t.expand(len(x)))

        return Field(path, predicts, network)


def train(
    state_dim: int,
    dim: int,
    loss: Loss,
    plan: TrainingPlan,
    seed: int,
    *,
    octaves: int = 0,
    start: Trained | None = None,
) -> Trained:
    """Return a residual network after ``plan.updates`` updates of Adam on ``loss``.

    ``loss(network, generator)`` returns a scalar from fresh samples. Weights, samples and noise
    depend on the seed alone; with ``start`` the training goes on from those weights.
    """
    generator = torch.Generator().manual_seed(seed)
    network = WaveNet(state_dim, dim, plan, octaves)
    online = Stack(network.shapes, torch.device("cpu"), trainable=True)
    optimiser = RowAdam(online)
    weights = network.fresh(generator) if start is None else start.params
    online.append(online.pack_row(weights))
    optimiser.append(plan.learning_rate, [optimiser.fresh()])
    average = Stack(network.shapes, torch.device("cpu"), trainable=False)
    average.append(online.flat.clone())

    def present(states: Tensor, x: Tensor, t: Tensor) -> Tensor:
        return _single(network, online.params, states, x, t)

    for i in range(plan.updates):
        online.backward(loss(present, generator).unsqueeze(0))
        rate = plan.learning_rate * _schedule(i, plan.updates)
        optimiser.set_rates([rate] * len(optimiser.rates))
        optimiser.step()
        average.flat.lerp_(online.flat, 1 - min(plan.ema, (1 + i) / (10 + i)))
    return Trained(network, average)


def matching_loss(
    path: Path, predicts: Prediction, batches: Callable[[torch.Generator], Batch]
) -> Loss:
    """Return the energy-weighted regression loss over ``batches`` (paper, Algorithm 1)."""

    def loss(network: Network, generator: torch.Generator) -> Tensor:
        states, points, weights = batches(generator)
        noise = torch.randn(points.shape, generator=generator)
        t = MIN_TIME + (1 - MIN_TIME) * torch.rand(len(points), generator=generator)
        field = Field(path, predicts, lambda x, t: network(states, x, t))
        return batch_loss(regression_loss(field, points, noise, t), weights)

    return loss


def _single(
    network: PolicyNet, params: dict[str, Tensor], states: Tensor, x: Tensor, t: Tensor
) -> Tensor:
    """Return the predictions of a pack of one without its first dimension."""
    return network(params, states.unsqueeze(0), x.unsqueeze(0), t.unsqueeze(0))[0]


def _schedule(update: int, updates: int) -> float:
    """Return the share of the peak learning rate: 100 updates up, then a cosine down to 0."""
    return min(1.0, (update + 1) / 100) * (1 + math.cos(math.pi * update / updates)) / 2
