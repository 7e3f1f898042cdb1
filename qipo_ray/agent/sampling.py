"""Actions from a policy: the solver, the network and the clip in one place."""

from __future__ import annotations

import torch
from torch import Tensor

from qipo_ray.config import Behaviour, Config
from qipo_ray.flow import Field, draw, path_named
from qipo_ray.nets import PolicyNet, policy_net
from qipo_ray.nets.stack import Params


def network_of(behaviour: Behaviour, state_dim: int, action_dim: int) -> PolicyNet:
    """Return the policy network of a configuration; behaviour and policy stage share its form."""
    return policy_net(behaviour.network, state_dim, action_dim, behaviour.width, behaviour.blocks)


class ActionSampler:
    """Draws actions from members' policies: one action a state, from noise."""

    def __init__(self, config: Config, state_dim: int, action_dim: int) -> None:
        self.path, self.predicts = path_named(config.behaviour.path), config.predicts
        self.network = network_of(config.behaviour, state_dim, action_dim)
        self.solver, self.evaluations = config.solver, config.sampler.evaluations
        self.clip = config.sampler.clip

    def __call__(self, params: Params, states: Tensor, noise: Tensor) -> Tensor:
        """Return actions ``(N, R, A)`` for normalised states ``(N, R, S)``, noise ``(N, R, A)``.

        The paper does not clip; clipping to [-1, 1] is a switch (departure A14).
        """

        def network(x: Tensor, t: Tensor) -> Tensor:
            return self.network(params, states, x, t.expand(x.shape[:-1]))

        field = Field(self.path, self.predicts, network)
        actions = draw(field, noise, self.solver, self.evaluations)
        return actions.clamp(-1, 1) if self.clip else actions


@torch.no_grad()
def support_actions(
    sampler: ActionSampler,
    params: Params,
    states: Tensor,
    size: int,
    generator: torch.Generator,
    chunk: int = 4096,
) -> Tensor:
    """Return ``size`` actions for each state ``(P, S)`` of one member: ``(P, size, A)``.

    ``params`` are the weights of one row; ``chunk`` bounds the rows of one batch.
    """
    action_dim = sampler.network.shapes["out.weight"][1]
    per_batch = max(1, chunk // size)
    batches = []
    for part in states.split(per_batch):
        repeated = part.repeat_interleave(size, 0).unsqueeze(0)
        noise = torch.randn(
            1, len(part) * size, action_dim, generator=generator, device=states.device
        )
        batches.append(sampler(params, repeated, noise).view(len(part), size, action_dim))
    return torch.cat(batches)


def support_pool(rows: int, pool: int, generator: torch.Generator) -> Tensor:
    """Return the rows that get support actions, ``(P,)``: all, or ``pool`` without repeat."""
    if pool == 0 or pool >= rows:
        return torch.arange(rows, device=generator.device)
    return torch.randperm(rows, generator=generator, device=generator.device)[:pool]
