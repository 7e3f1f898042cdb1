"""The best of N: which action is taken, how one is drawn, and a state that is whole."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from qipo_ray.agent import Member, State, Tensors, pack_of
from qipo_ray.agent.acting import acting_network
from qipo_ray.agent.best_of_n import gumbel
from qipo_ray.agent.judge import Judge, loaded
from qipo_ray.agent.sampling import ActionSampler
from qipo_ray.config import Config

Configure = Callable[..., Config]
N = 5


def settings(configure: Configure, *changes: str) -> Config:
    return configure("policy.method=bestofn", f"bestofn.actions={N}", *changes)


def test_the_action_of_the_highest_q_is_taken(
    configure: Configure, data: Tensors, upstream: dict[str, State]
) -> None:
    """Each state alone, in plain loops, for the network, its average, and several critics."""
    for weights, pairs in (("online", 1), ("ema", 3)):
        changes = (f"evaluation.weights={weights}", f"critic.pairs={pairs}", "critic.judge=lower")
        config = settings(configure, *changes)
        critics = pack_of("critic", config, data)
        critics.admit(Member(config, 7), upstream, None)
        critic = critics.state(0)
        pack = pack_of("policy", config, data)
        pack.admit(Member(config, 0), {**upstream, "critic": critic}, None)
        network = acting_network(config, data.state_dim, data.action_dim)
        params = loaded(network.shapes, pack.state(0)["weights"][weights]).params
        states, noise = data.states[:7], torch.randn(7, network.noise_dim)
        actions = network(params, states[None], noise[None])[0]
        sampler = ActionSampler(config, data.state_dim, data.action_dim)
        clone = loaded(sampler.network.shapes, upstream["behaviour"]["weights"][weights]).params
        judge = Judge(config, critic)
        for state, start, action in zip(states, noise.view(7, N, 2), actions, strict=True):
            proposed = sampler(clone, state.expand(1, N, -1), start[None])[0]
            q = judge.value(state[None], proposed[None])[0]
            torch.testing.assert_close(action, proposed[q.argmax()], rtol=1e-5, atol=1e-6)
            assert network(params, state[None, None], start.view(1, 1, -1))[0, 0] == pytest.approx(
                action, abs=1e-6
            )


def test_at_a_temperature_one_is_drawn_by_exp_of_q(
    configure: Configure, data: Tensors, upstream: dict[str, State]
) -> None:
    """Many draws among the same N actions, counted; a temperature near 0 takes the best."""
    counts = {}
    for temperature in (0.0, 1e-6, 0.2):
        config = settings(configure, f"bestofn.temperature={temperature}")
        pack = pack_of("policy", config, data)
        pack.admit(Member(config, 0), upstream, None)
        network = acting_network(config, data.state_dim, data.action_dim)
        params = loaded(network.shapes, pack.state(0)["weights"]["online"]).params
        generator = torch.Generator().manual_seed(0)
        start = torch.randn(1, 2 * N, generator=generator).expand(2000, -1)
        choice = torch.randn(2000, network.noise_dim - 2 * N, generator=generator)
        noise = torch.cat([start, choice], -1)[None]
        actions = network(params, data.states[:1].expand(1, 2000, -1), noise)[0]
        distinct, taken = actions.unique(dim=0, return_counts=True)
        counts[temperature] = dict(zip(map(tuple, distinct.tolist()), taken.tolist(), strict=True))
    assert counts[0.0] == counts[1e-6] and len(counts[0.0]) == 1
    spread = torch.tensor(list(counts[0.2]))
    q = Judge(config, upstream["critic"]).value(data.states[:1], spread[None])[0]
    expected = torch.softmax(q / 0.2, 0)
    shares = torch.tensor(list(counts[0.2].values())) / 2000
    assert len(shares) == N and shares == pytest.approx(expected, abs=0.03)


def test_gumbel_numbers_are_finite_and_have_their_mean() -> None:
    noise = torch.randn(100_000, generator=torch.Generator().manual_seed(0))
    assert gumbel(noise).mean().item() == pytest.approx(0.5772, abs=0.01)
    assert gumbel(torch.tensor([-40.0, 40.0])).isfinite().all()


def test_members_hold_their_networks_whatever_their_update(
    configure: Configure, data: Tensors, upstream: dict[str, State]
) -> None:
    config = settings(configure)
    pack = pack_of("policy", config, data)
    pack.admit(Member(config, 0), upstream, None)
    before = pack.state(0)
    for _ in range(3):
        pack.update()
    pack.admit(Member(config, 1), upstream, before)
    pack.drop(0)
    state = pack.state(0)
    assert state["updates"] == 0 and state["weights"].keys() == {"online", "ema"}
    for name, value in before["weights"].items():
        assert torch.equal(state["weights"][name], value)
    pack.check(0)
    assert pack.metrics(0) == {"grad_norm": 0}
