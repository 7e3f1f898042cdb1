"""FQL's update against plain torch, from its formulas and an Euler loop of its own."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from fixtures.plain_torch import UPDATES, affines, assert_same, draws, mlp
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from qipo_ray.agent import Member, Pack, State, Tensors
from qipo_ray.agent.fql import FQLPack
from qipo_ray.config import Config

SMALL = (
    "policy.method=fql", "fql.width=16", "fql.layers=2", "fql.batch_size=32",
    "fql.learning_rate=0.01", "fql.critic_norm=false", "fql.alpha=3", "sampler.solver=euler",
)  # fmt: skip
Configure = Callable[..., Config]
Trained = Callable[..., tuple[Pack, dict[str, State]]]


@pytest.fixture
def behaviour(trained: Trained, configure: Configure) -> State:
    pack, _ = trained("behaviour", [(7, configure())], 20)
    return pack.state(0)


def by_euler(pack: FQLPack, states: Tensor, noise: Tensor) -> Tensor:
    """The flow's action of some noise, in four steps along the clone's velocity, cut."""
    x = noise
    for time in (1.0, 0.75, 0.5, 0.25):
        times = torch.full((1, len(x)), time)
        x = x - 0.25 * pack.sampler.network(pack.prior.params, states[None], x[None], times)[0]
    return x.clamp(-1, 1)


@pytest.mark.parametrize("changes", [(), ("fql.normalise=true", "fql.target=minimum")])
def test_updates_are_those_of_plain_torch(
    configure: Configure, data: Tensors, behaviour: State, changes: tuple[str, ...]
) -> None:
    pack = FQLPack(configure(*SMALL, *changes), data)
    pack.admit(Member(configure(*SMALL, *changes), 3), {"behaviour": behaviour}, None)
    critics = nn.ModuleList(mlp(affines(pack, "critic", row)) for row in range(2))
    targets, policy = copy.deepcopy(critics), mlp(affines(pack, "online"))
    adam = torch.optim.Adam([*policy.parameters(), *critics.parameters()], lr=0.01)

    def both(networks: nn.ModuleList, states: Tensor, actions: Tensor) -> Tensor:
        return torch.stack([q(torch.cat([states, actions], 1)).squeeze(1) for q in networks])

    for _, (s, a, r, following, ends, g) in zip(range(UPDATES), draws(data, 3, 32), strict=False):
        later, start = (torch.randn(32, 2, generator=g) for _ in range(2))  # type: ignore[arg-type]
        pack.update()
        with torch.no_grad():
            chosen = policy(torch.cat([following, later], 1)).clamp(-1, 1)
            twins = both(targets, following, chosen)
            value = twins.min(0).values if changes else (twins[0] + twins[1]) / 2
            aim = r + 0.99 * (1 - ends) * value
            taught = by_euler(pack, s, start)
        q_loss = mse_loss(both(critics, s, a), aim.expand(2, -1))
        made = policy(torch.cat([s, start], 1))
        worth = both(critics, s, made.clamp(-1, 1)).mean(0)
        size = worth.detach().abs().mean() if changes else 1
        actor_loss = 3 * mse_loss(made, taught) - worth.mean() / size
        adam.zero_grad()
        gradients = torch.autograd.grad(actor_loss, list(policy.parameters()), retain_graph=True)
        q_loss.backward()
        for parameter, gradient in zip(policy.parameters(), gradients, strict=True):
            parameter.grad = gradient
        adam.step()
        with torch.no_grad():
            for target, present in zip(targets.parameters(), critics.parameters(), strict=True):
                target.lerp_(present, 0.005)
    assert_same(policy, pack, "online")
    for row in range(2):
        assert_same(critics[row], pack, "critic", row)
        assert_same(targets[row], pack, "target", row)
    assert pack.metrics(0)["distance"] > 0


def test_the_flow_that_teaches_is_the_clone_and_stays(
    configure: Configure, data: Tensors, behaviour: State
) -> None:
    for name in ("online", "ema"):
        config = configure(*SMALL, f"behaviour.weights={name}")
        pack = FQLPack(config, data)
        pack.admit(Member(config, 3), {"behaviour": behaviour}, None)
        pack.update()
        assert torch.equal(pack.prior.flat, behaviour["weights"][name])
    assert "behaviour" not in pack.state(0)["weights"]
