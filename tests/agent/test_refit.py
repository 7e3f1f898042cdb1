"""Q between rounds: its updates are those of plain torch, and rounds read what they made."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from fixtures.plain_torch import affines, load, mlp
from torch import nn

from qipo_ray.agent import Pack, PolicyPack, State, Tensors
from qipo_ray.agent.evidence import held_out
from qipo_ray.agent.pack import stream
from qipo_ray.agent.refit import Refit
from qipo_ray.config import Config
from qipo_ray.nets import Stack

SMALL = ("critic.layer_norm=false", "critic.returns_updates=20", "policy.refit_updates=6")
Configure = Callable[..., Config]
Trained = Callable[..., tuple[Pack, dict[str, State]]]


def lowest(twins: nn.ModuleList, states: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
    return torch.stack([q(torch.cat([actions, states], 1)).squeeze(1) for q in twins]).amin(0)


@pytest.mark.slow_after(1)
@pytest.mark.parametrize("share", [0.0, 0.2])
def test_updates_are_those_of_plain_torch(
    configure: Configure, trained: Trained, data: Tensors, share: float
) -> None:
    config = configure(*SMALL, f"critic.held_out={share}", "critic.n_step=2")
    pack, _ = trained("policy", [(3, config)], 5)
    assert isinstance(pack, PolicyPack)
    policy, member = pack.online.slice(0, 1), pack.members[0]
    critics = nn.ModuleList(mlp(affines(pack, "critic", row)) for row in range(2))
    targets, adam = copy.deepcopy(critics), torch.optim.Adam(critics.parameters(), lr=1e-3)
    kept = torch.tensor(
        [row for row in range(400) if not share or not held_out(data, share, 3)[row]]
    )
    generator = stream(3, "policy", "refit", 2)
    for _ in range(6):
        rows = kept[torch.randint(len(kept), (32,), generator=generator)]
        noise = torch.randn(1, 32, 2, generator=generator)
        wanted = []
        with torch.no_grad():
            last = [min(int(row) + 1, int(row) // 10 * 10 + 9) for row in rows]  # episodes of ten
            states = data.next_states[last]
            actions = pack.sampler(policy, states[None], noise)[0]
            for row, end, value in zip(rows, last, lowest(targets, states, actions), strict=True):
                total = sum(0.99**k * data.rewards[row + k] for k in range(end - int(row) + 1))
                count = end - int(row) + 1
                wanted.append(total + (0 if data.terminals[end] else 0.99**count * value))
        pairs = torch.cat([data.actions[rows], data.states[rows]], 1)
        target = torch.stack(wanted)
        loss = sum(((q(pairs).squeeze(1) - target) ** 2).mean() for q in critics) / 2
        adam.zero_grad()
        loss.backward()
        adam.step()
        for mine, theirs in zip(targets.parameters(), critics.parameters(), strict=True):
            mine.data.lerp_(theirs.data, config.critic.polyak)
    before = pack.critic.flat.clone()
    found = Refit(member, data)(member, before.clone(), policy, 2)
    assert torch.equal(pack.critic.flat, before) and not torch.equal(found, before)
    expected = Stack(pack.q.shapes, torch.device("cpu"), trainable=False)
    expected.append(found)
    pack.critic.flat.copy_(found)
    for row, critic in enumerate(critics):
        other = load(copy.deepcopy(critic), affines(pack, "critic", row))
        for mine, theirs in zip(critic.parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_q_is_the_critics_in_the_first_round_and_its_own_from_then_on(
    configure: Configure, trained: Trained
) -> None:
    pack, upstream = trained("policy", [(3, configure(*SMALL))], 20)
    given = upstream["critic"]["weights"]["online"]
    assert torch.equal(pack.state(0)["weights"]["critic"], given)
    pack.update()  # rounds are of 20
    assert not torch.equal(pack.state(0)["weights"]["critic"], given)
    plain, _ = trained("policy", [(3, configure(*SMALL[:2]))], 21)
    assert "critic" not in plain.state(0)["weights"]
