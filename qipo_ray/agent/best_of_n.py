"""The best of N actions of the clone by Q, as a method of its own: nothing more is trained.

Chen et al., "Offline Reinforcement Learning via High-Fidelity Generative Behavior Modeling" (ICLR
2023, SfBC), draw among the N by ``exp(Q / temperature)``; Hansen-Estruch et al., "IDQL" (2023),
take the best. What Q is, the settings of the critic stage say.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from qipo_ray.agent.ensemble import judged, twin_q
from qipo_ray.agent.judge import loaded
from qipo_ray.agent.pack import Member, Pack, State
from qipo_ray.agent.sampling import ActingNetwork, ActionSampler
from qipo_ray.agent.tensors import Tensors
from qipo_ray.config import Config
from qipo_ray.nets import Stack
from qipo_ray.nets.stack import Params, joined, part_of

LEAST = 1e-7  # of a uniform number, so that its logarithms are finite


class BestByQ:
    """A policy of two networks: one proposes ``count`` actions, the critic chooses one."""

    def __init__(
        self,
        config: Config,
        proposer: ActingNetwork,
        state_dim: int,
        count: int,
        temperature: float = 0.0,
    ) -> None:
        self.proposer, self.count, self.temperature = proposer, count, temperature
        self.action_dim = proposer.action_dim
        self.q, self.critic = twin_q(config, state_dim, self.action_dim), config.critic
        twins = {name: (self.q.rows, *shape) for name, shape in self.q.shapes.items()}
        self.shapes = joined(clone=proposer.shapes, critic=twins)
        self.noise_dim = count * (proposer.noise_dim + (temperature > 0))

    def __call__(self, params: Params, states: Tensor, noise: Tensor) -> Tensor:
        """Return actions ``(N, R, A)`` for normalised states ``(N, R, S)``.

        ``noise`` is ``(N, R, noise_dim)``: what the N actions start from, then, where one is
        drawn, one number for each.
        """
        split = self.count * self.proposer.noise_dim
        start = noise[..., :split].unflatten(-1, (self.count, self.proposer.noise_dim))
        repeated = states.unsqueeze(2).expand(-1, -1, self.count, -1)
        own = part_of(params, "clone")
        drawn = self.proposer(own, repeated.flatten(1, 2), start.flatten(1, 2))
        proposed = drawn.view(*start.shape[:3], self.action_dim)
        # Departure B7: Q is that of the critic stage, by its online twins.
        critic = {name: rows.flatten(0, 1) for name, rows in part_of(params, "critic").items()}
        merit = judged(self.q.lowest(critic, states, proposed).movedim(1, 0), self.critic)
        if self.temperature:
            merit = merit / self.temperature + gumbel(noise[..., split:])
        chosen = merit.argmax(-1, keepdim=True).unsqueeze(-1).expand(-1, -1, -1, self.action_dim)
        return proposed.gather(2, chosen).squeeze(2)

    def beside_critic(self, weights: Tensor, critic: State) -> Tensor:
        """Return the flat row of what proposes, ``(1, W)``, beside the Q of a critic's state."""
        table = Stack(self.shapes, torch.device("cpu"), trainable=False)
        proposer = loaded(self.proposer.shapes, weights).params
        twins = loaded(self.q.shapes, critic["weights"]["online"]).params
        return table.pack_row(joined(clone=proposer, critic=twins))


def best_of_clone(config: Config, state_dim: int, action_dim: int) -> BestByQ:
    """Return the network of the method: the clone proposes, as many as its settings say."""
    # Departure B6: one action, from noise of scale 1; SfBC averages four on locomotion.
    clone, choice = ActionSampler(config, state_dim, action_dim), config.bestofn
    return BestByQ(config, clone, state_dim, choice.actions, choice.temperature)


def gumbel(noise: Tensor) -> Tensor:
    """Return Gumbel numbers from N(0, 1): the largest of ``x + gumbel`` is drawn by exp x."""
    uniform = ((1 + torch.erf(noise / math.sqrt(2))) / 2).clamp(LEAST, 1 - LEAST)
    return -(-uniform.log()).log()


def judged_clone(config: Config, behaviour: State, critic: State) -> dict[str, Tensor]:
    """Return the flat rows ``online`` and ``ema``: either of the clone's beside the critic."""
    network = best_of_clone(config, len(critic["normaliser"]["mean"]), critic["action_dim"])
    return {
        name: network.beside_critic(behaviour["weights"][name], critic)
        for name in ("online", "ema")
    }


class BestOfNPack(Pack):
    """Members that hold the clone and the critic, whatever their update."""

    stage = "policy"
    metric_names: ClassVar[tuple[str, ...]] = ()

    def __init__(self, config: Config, data: Tensors) -> None:
        super().__init__(config, data)
        shapes = best_of_clone(config, data.state_dim, data.action_dim).shapes
        for name in ("online", "ema"):
            self._stack(name, shapes)

    def _start(self, member: Member, upstream: Mapping[str, State]) -> dict[str, Tensor]:
        return judged_clone(member.config, upstream["behaviour"], upstream["critic"])

    def _rate(self, config: Config) -> float:
        return 0.0

    def _learns(self, i: int) -> bool:
        return False

    def _losses(self) -> tuple[Tensor, list[Tensor]]:
        """Return 0: there is nothing to learn."""
        return self.column([0.0] * len(self.members)).squeeze(1), []
