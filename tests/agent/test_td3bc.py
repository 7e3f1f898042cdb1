"""TD3+BC's update against plain torch, and against CORL's code where ``QIPO_CORL`` has it."""

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
from qipo_ray.agent.td3bc import TD3BCPack
from qipo_ray.config import Config

SMALL = (
    "policy.method=td3bc",
    "td3bc.width=16",
    "td3bc.batch_size=32",
    "td3bc.learning_rate=0.01",
)


def fresh(configure: Callable[..., Config], data: Tensors, *changes: str) -> TD3BCPack:
    config = configure(*SMALL, *changes)
    pack = TD3BCPack(config, data)
    admitted(pack, Member(config, 3))
    return pack


def test_updates_are_those_of_plain_torch(configure: Callable[..., Config], data: Tensors) -> None:
    pack = fresh(configure, data)
    critics = nn.ModuleList(mlp(affines(pack, "critic", row)) for row in range(2))
    actor = mlp(affines(pack, "online"), nn.Tanh())
    old_critics, old_actor = copy.deepcopy(critics), copy.deepcopy(actor)
    critic_adam, actor_adam = (
        torch.optim.Adam(part.parameters(), lr=0.01) for part in (critics, actor)
    )
    for i, (s, a, r, following, ends, g) in zip(range(UPDATES), draws(data, 3, 32), strict=False):
        noise = (0.2 * torch.randn(32, data.action_dim, generator=g)).clamp(-0.5, 0.5)  # type: ignore[arg-type]
        pack.update()
        with torch.no_grad():
            chosen = (old_actor(following) + noise).clamp(-1, 1)
            later = torch.cat([following, chosen], 1)
            lowest = torch.minimum(*(q(later).squeeze(1) for q in old_critics))
            aim = r + 0.99 * (1 - ends) * lowest
        pairs = torch.cat([s, a], 1)
        critic_adam.zero_grad()
        sum(mse_loss(q(pairs).squeeze(1), aim) for q in critics).backward()  # type: ignore[union-attr]
        critic_adam.step()
        if i % 2 == 0:
            continue
        q = critics[0](torch.cat([s, actor(s)], 1))
        actor_adam.zero_grad()
        (mse_loss(actor(s), a) - 2.5 / q.abs().mean().detach() * q.mean()).backward()
        actor_adam.step()
        with torch.no_grad():
            for old, new in ((old_critics, critics), (old_actor, actor)):
                for target, present in zip(old.parameters(), new.parameters(), strict=True):
                    target.lerp_(present, 0.005)
    assert_same(actor, pack, "online")
    assert_same(old_actor, pack, "actor_target")
    for row in range(2):
        assert_same(critics[row], pack, "critic", row)
        assert_same(old_critics[row], pack, "target", row)


@pytest.mark.skipif(not CORL, reason="QIPO_CORL names no checkout of CORL: NOT TESTED AGAINST IT")
def test_updates_are_those_of_corl(configure: Callable[..., Config], data: Tensors) -> None:
    """Without noise on the target's actions, which both draw in their own way; its size is 256."""
    pack = fresh(configure, data, "td3bc.noise=0", "td3bc.width=256", "td3bc.learning_rate=0.001")
    states, actions = data.state_dim, data.action_dim
    with corl_module("td3_bc") as corl:
        actor = load(corl.Actor(states, actions, 1.0), affines(pack, "online"))
        critics = [
            load(corl.Critic(states, actions), affines(pack, "critic", row)) for row in range(2)
        ]
        parts = [
            item
            for part in (actor, *critics)
            for item in (part, torch.optim.Adam(part.parameters(), lr=0.001))
        ]
        trainer = corl.TD3_BC(1.0, *parts, policy_noise=0.0)
        losses = []
        for _, (s, a, r, following, ends, g) in zip(
            range(UPDATES), draws(data, 3, 32), strict=False
        ):
            torch.randn(32, actions, generator=g)  # type: ignore[arg-type]
            pack.update()
            losses.append(trainer.train([s, a, r.unsqueeze(1), following, ends.unsqueeze(1)]))
    assert_same(actor, pack, "online")
    for row in range(2):
        assert_same(critics[row], pack, "critic", row)
    means = pack.metrics(0)
    critic_loss = sum(loss["critic_loss"] for loss in losses) / UPDATES
    actor_losses = [loss["actor_loss"] for loss in losses if "actor_loss" in loss]
    assert means["q_loss"] == pytest.approx(critic_loss, rel=1e-5)
    assert means["loss"] == pytest.approx(sum(actor_losses) / len(actor_losses), rel=1e-5)
