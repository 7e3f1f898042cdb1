"""IQL's update against plain torch, and against CORL's code where ``QIPO_CORL`` has it."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from fixtures.plain_torch import (
    CORL,
    UPDATES,
    admitted,
    affines,
    assert_same,
    corl_module,
    draws,
    load,
    mlp,
)
from torch import nn
from torch.nn.functional import mse_loss

from qipo_ray.agent import Member, Tensors
from qipo_ray.agent.expectile import expectile_loss
from qipo_ray.agent.iql import IQLPack
from qipo_ray.config import Config

SMALL = ("policy.method=iql", "iql.width=16", "iql.batch_size=32", "iql.learning_rate=0.01")


def fresh(configure: Callable[..., Config], data: Tensors) -> tuple[IQLPack, Config]:
    config = configure(*SMALL)
    pack = IQLPack(config, data)
    admitted(pack, Member(config, 3))
    return pack, config


def test_an_expectile_of_a_half_is_half_of_the_squares() -> None:
    u = torch.tensor([[-2.0, 1.0, 3.0]])
    half, high = torch.tensor([[0.5]]), torch.tensor([[0.9]])
    assert expectile_loss(u, half).item() == pytest.approx(0.5 * (4 + 1 + 9) / 3)
    assert expectile_loss(u, high).item() == pytest.approx((0.1 * 4 + 0.9 * (1 + 9)) / 3)


def test_updates_are_those_of_plain_torch(configure: Callable[..., Config], data: Tensors) -> None:
    """V, then Q, then the policy, each with an optimiser of its own, as users run it."""
    pack, config = fresh(configure, data)
    c = config.iql
    twins = nn.ModuleList(mlp(affines(pack, "critic", row)) for row in range(2))
    targets = copy.deepcopy(twins)
    value, mean = mlp(affines(pack, "value")), mlp(affines(pack, "online"), nn.Tanh())
    log_std = nn.Parameter(torch.zeros(data.action_dim))
    optimisers = [
        torch.optim.Adam(parameters, lr=c.learning_rate)
        for parameters in (value.parameters(), twins.parameters(), [*mean.parameters(), log_std])
    ]
    for _, (s, a, r, following, ends, _g) in zip(range(UPDATES), draws(data, 3, 32), strict=False):
        pack.update()
        pairs = torch.cat([s, a], 1)
        later = value(following).squeeze(1).detach()
        lowest = torch.minimum(*(q(pairs).squeeze(1) for q in targets)).detach()
        advantage = lowest - value(s).squeeze(1)
        tilt = torch.where(advantage.detach() > 0, 0.7, 0.3)
        aim = r + 0.99 * (1 - ends) * later
        q_loss = sum(mse_loss(q(pairs).squeeze(1), aim) for q in twins) / 2
        weight = (3 * advantage.detach()).exp().clamp(max=100)
        density = torch.distributions.Normal(mean(s), log_std.exp()).log_prob(a).sum(1)
        losses = [(tilt * advantage**2).mean(), q_loss, -(weight * density).mean()]
        for optimiser, loss in zip(optimisers, losses, strict=True):
            optimiser.zero_grad()
            loss.backward()  # type: ignore[union-attr]
            optimiser.step()
        with torch.no_grad():
            for target, present in zip(targets.parameters(), twins.parameters(), strict=True):
                target.lerp_(present, c.polyak)
    assert_same(mean, pack, "online")
    assert_same(value, pack, "value")
    for row in range(2):
        assert_same(twins[row], pack, "critic", row)
        assert_same(targets[row], pack, "target", row)
    deviation = pack.online.params["log_std.shift"][0, 0]
    torch.testing.assert_close(deviation, log_std.data, rtol=1e-5, atol=1e-6)


@pytest.mark.skipif(not CORL, reason="QIPO_CORL names no checkout of CORL: NOT TESTED AGAINST IT")
def test_updates_are_those_of_corl(configure: Callable[..., Config], data: Tensors) -> None:
    pack, config = fresh(configure, data)
    states, actions, rate = data.state_dim, data.action_dim, config.iql.learning_rate
    with corl_module("iql") as corl:
        actor = corl.GaussianPolicy(states, actions, 1.0, hidden_dim=16)
        q, v = (
            corl.TwinQ(states, actions, hidden_dim=16),
            corl.ValueFunction(states, hidden_dim=16),
        )
        load(actor, affines(pack, "online"))
        load(v, affines(pack, "value"))
        for row, twin in enumerate((q.q1, q.q2)):
            load(twin, affines(pack, "critic", row))
        adams = [torch.optim.Adam(part.parameters(), lr=rate) for part in (actor, q, v)]
        trainer = corl.ImplicitQLearning(
            1.0, actor, adams[0], q, adams[1], v, adams[2], max_steps=10**12
        )
        losses = []
        for _, (s, a, r, following, ends, _g) in zip(
            range(UPDATES), draws(data, 3, 32), strict=False
        ):
            pack.update()
            losses.append(trainer.train([s, a, r.unsqueeze(1), following, ends.unsqueeze(1)]))
    assert_same(actor, pack, "online")
    assert_same(v, pack, "value")
    assert_same(q.q1, pack, "critic", 0)
    assert_same(q.q2, pack, "critic", 1)
    assert_same(trainer.q_target.q1, pack, "target", 0)
    means = pack.metrics(0)
    for ours, theirs in (("q_loss", "q_loss"), ("v_loss", "value_loss"), ("loss", "actor_loss")):
        mean = sum(loss[theirs] for loss in losses) / UPDATES
        assert means[ours] == pytest.approx(mean, rel=1e-5)
