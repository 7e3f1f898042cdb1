"""The three stages against independent statements of their equations, and that they learn."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, get_args

import pytest
import torch

from qipo_ray.agent import (
    ActionSampler,
    BehaviourPack,
    CriticPack,
    Member,
    Pack,
    PolicyPack,
    State,
    Tensors,
)
from qipo_ray.agent.behaviour import best_rows
from qipo_ray.agent.pack import stream
from qipo_ray.agent.support import support_actions, support_pool
from qipo_ray.config import PATHS, Behaviour, Config
from qipo_ray.config.schema import EVALUATIONS_PER_STEP, Sampler
from qipo_ray.config.section import field_types
from qipo_ray.config.values import unfold
from qipo_ray.flow import Prediction
from qipo_ray.flow import paths as flow_paths
from qipo_ray.flow.solvers import SOLVERS
from qipo_ray.nets import Stack
from qipo_ray.nets.stack import Params

Trained = Callable[..., tuple[Pack, dict[str, State]]]


def propose(sampler: ActionSampler, params: Params, states: torch.Tensor, size: int) -> Any:
    """``size`` actions at every state, always with the same draws."""
    pool = torch.arange(len(states))
    return support_actions(sampler, params, states, pool, size, stream(0, "test"))


@pytest.mark.slow
def test_the_behaviour_clones_the_actions(
    configure: Callable[..., Config], trained: Trained, data: Tensors
) -> None:
    """Samples come near the data's mean and standard deviation, and stay in the box."""
    for path in ("ot", "vp"):
        config = configure(f"behaviour.path={path}", "sampler.evaluations=16",
                           "behaviour.width=64", "behaviour.batch_size=256")  # fmt: skip
        pack, _ = trained("behaviour", [(0, config)], 400)
        sampler = ActionSampler(config, data.state_dim, data.action_dim)
        params = pack._stacks["online"].stack.slice(0, 1)
        actions = propose(sampler, params, data.states, 20)
        torch.testing.assert_close(actions.mean((0, 1)), data.actions.mean(0), atol=0.12, rtol=0)
        torch.testing.assert_close(actions.std((0, 1)), data.actions.std(0), atol=0.1, rtol=0)
        assert actions.abs().max() <= 1


def test_cloning_keeps_an_average_of_its_own_rate_for_each_member(
    configure: Callable[..., Config], trained: Trained
) -> None:
    rates = (0.1, 0.5, 1.0)
    members = [(3, configure(f"behaviour.ema_rate={rate}")) for rate in rates]
    pack, _ = trained("behaviour", members, 5)
    before = [pack.state(i)["weights"] for i in range(3)]
    pack.update()
    for rate, i in zip(rates, range(3), strict=True):
        weights = pack.state(i)["weights"]
        expected = (1 - rate) * before[i]["ema"] + rate * weights["online"]
        torch.testing.assert_close(weights["ema"], expected)
    assert torch.equal(weights["ema"], weights["online"])  # of rate 1


def test_only_the_best_episodes_are_cloned(
    configure: Callable[..., Config], trained: Trained, data: Tensors
) -> None:
    """A poisoned row of any other episode is never read, and each member has its own share."""
    returns = data.rewards.double().view(40, 10).sum(1)
    best = returns.argsort(descending=True)[:4]
    rows = (10 * best.unsqueeze(1) + torch.arange(10)).flatten().sort().values
    assert torch.equal(best_rows(data, 0.1), rows)
    assert len(best_rows(data, 0.001)) == 10 and len(best_rows(data, 1)) == 400
    others = torch.ones(400, dtype=torch.bool).index_fill(0, rows, False)
    poisoned = dataclasses.replace(
        data, actions=data.actions.masked_fill(others.unsqueeze(1), math.nan)
    )
    pack = BehaviourPack(configure(), poisoned)
    for share in (0.1, 1):
        pack.admit(Member(configure(f"behaviour.best_episodes={share}"), 3), {}, None)
    alone, _ = trained("behaviour", [(3, configure("behaviour.best_episodes=0.1"))], 20)
    for _ in range(20):
        pack.update()
    cloned, every = (pack.state(i)["weights"]["online"] for i in range(2))
    torch.testing.assert_close(cloned, alone.state(0)["weights"]["online"])
    assert every.isnan().any()
    pack.drop(0)
    assert pack.best == [None]


@pytest.mark.parametrize("name", ["online", "ema"])
def test_later_stages_go_on_from_the_clone_or_its_average(
    configure: Callable[..., Config], trained: Trained, name: str
) -> None:
    config = configure(f"behaviour.weights={name}")
    for stage in ("critic", "policy"):
        pack, upstream = trained(stage, [(0, config)], 0)
        clone = upstream["behaviour"]["weights"]
        assert not torch.equal(clone["online"], clone["ema"])
        for stack in ("behaviour",) if stage == "critic" else ("behaviour", "online", "ema"):
            assert torch.equal(pack._stacks[stack].stack.flat, clone[name])


def test_the_critics_target_is_the_softmax_average_of_the_twins_minimum(
    configure: Callable[..., Config], trained: Trained, data: Tensors
) -> None:
    config = configure("critic.temperature=2")
    pack, _ = trained("critic", [(0, config)], 30)
    assert isinstance(pack, CriticPack)
    support = pack.support[0]
    assert support is not None
    pool, actions = support.pool, support.actions
    spots = torch.tensor([[3, 50, 99]])
    values, _ = pack._bootstrap(slice(None), pool[spots], actions[spots])
    for value, spot in zip(values[0, 0], spots[0], strict=True):
        row = int(pool[spot])
        state = data.next_states[row][None, None]
        q = pack.q(pack.target.params, state, actions[spot][None, None])[0, :, 0]  # (2, M)
        low = torch.minimum(q[0], q[1])
        weights = torch.exp(2 * low) / torch.exp(2 * low).sum()
        expected = data.rewards[row] + 0.99 * (1 - data.terminals[row]) * (weights * low).sum()
        torch.testing.assert_close(value, expected, rtol=1e-4, atol=1e-5)


def test_the_critic_renews_its_support_and_starts_the_target_at_the_regression(
    configure: Callable[..., Config], trained: Trained
) -> None:
    config = configure()  # 20 updates of regression, renewal every 15 after that
    pack, _ = trained("critic", [(0, config)], 20)
    assert isinstance(pack, CriticPack) and pack.support[0] is None
    regressed = pack.online.flat.clone()
    pack._before()
    first = pack.support[0]
    assert first is not None and first.renewal == 0 and torch.equal(pack.target.flat, regressed)
    later, _ = trained("critic", [(0, config)], 36)
    assert isinstance(later, CriticPack)
    second = later.support[0]
    assert second is not None and second.renewal == 1
    assert not torch.equal(second.actions, first.actions)


@pytest.mark.slow
def test_the_critic_finds_the_value_of_the_behaviour(
    configure: Callable[..., Config], trained: Trained, data: Tensors
) -> None:
    """Regression alone explains a good part of the variance of the returns."""
    config = configure("critic.returns_updates=300", "critic.width=64")
    pack, _ = trained("critic", [(0, config)], 200)
    pack.metrics(0)
    for _ in range(50):
        pack.update()
    assert pack.metrics(0)["loss"] < 0.8 * data.returns.var().item()


def test_a_support_set_holds_the_data_action_and_its_weights(
    configure: Callable[..., Config], trained: Trained, data: Tensors
) -> None:
    config = configure("policy.beta=4")
    pack, _ = trained("policy", [(0, config)], 1)
    assert isinstance(pack, PolicyPack)
    support = pack.support[0]
    assert support is not None and support.actions.shape == (50, 7, 2)
    assert torch.equal(support.actions[:, -1], data.actions[support.pool])
    states = data.states[support.pool][None]
    q = pack.q(pack.critic.params, states, support.actions[None])[0].amin(0)
    expected = torch.exp(4 * q) / torch.exp(4 * q).sum(1, keepdim=True)
    torch.testing.assert_close(support.weights, expected, rtol=1e-4, atol=1e-5)


def test_support_sets_are_renewed_every_k_updates_from_the_present_policy(
    configure: Callable[..., Config], trained: Trained
) -> None:
    for name in ("ema", "online"):
        config = configure(f"policy.sampler={name}", "policy.ema_rate=0.1")
        pack, _ = trained("policy", [(0, config)], 20)
        assert isinstance(pack, PolicyPack)
        assert pack.support[0] is not None and pack.support[0].renewal == 0
        expected = getattr(pack, name).flat.clone()
        pack.update()
        assert pack.support[0].renewal == 1
        assert torch.equal(pack.source.flat, expected)
        assert not torch.equal(pack.ema.flat, pack.online.flat)


def test_drawn_actions_have_the_expectation_of_all_actions(
    configure: Callable[..., Config], trained: Trained
) -> None:
    """The mean of ``loss_actions`` draws is the weighted mean over the support set."""
    config = configure("policy.loss_actions=4", "policy.batch_size=400", "policy.beta=6")
    pack, _ = trained("policy", [(0, config)], 1)
    assert isinstance(pack, PolicyPack)
    support = pack.support[0]
    assert support is not None
    total = torch.zeros(2)
    for _ in range(50):
        _, actions, weights = pack._draw()
        total += (weights.unsqueeze(-1) * actions).sum(2).mean((0, 1)) / 50
    expected = (support.weights.unsqueeze(-1) * support.actions).sum(1).mean(0)
    torch.testing.assert_close(total, expected, atol=0.01, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("path", ["ot", "vp", "trig"])
def test_the_policy_moves_towards_better_actions(
    path: str, configure: Callable[..., Config], trained: Trained, data: Tensors
) -> None:
    """Reward is the first action: guidance raises its mean, beta = 0 leaves it."""
    means = {}
    for beta in (0, 8):
        config = configure(
            f"behaviour.path={path}", f"policy.beta={beta}", "behaviour.width=64",
            "policy.batch_size=64", "policy.loss_actions=0", "sampler.evaluations=10",
            "policy.renew_every=300", "policy.pool=0",
        )  # fmt: skip
        pack, _ = trained("policy", [(0, config)], 300)
        sampler = ActionSampler(config, data.state_dim, data.action_dim)
        params = pack._stacks["online"].stack.slice(0, 1)
        actions = propose(sampler, params, data.states, 8)
        means[beta] = actions[..., 0].mean().item()
    assert means[8] > means[0] + 0.05


def test_normalised_observations_and_pools(data: Tensors) -> None:
    torch.testing.assert_close(data.states.mean(0), torch.zeros(2), atol=1e-5, rtol=0)
    assert data.normaliser(torch.full((1, 2), 1e6)).tolist() == [[10.0, 10.0]]
    everything = support_pool(5, 0, stream(0, "test"))
    assert everything.tolist() == [0, 1, 2, 3, 4]
    some = support_pool(100, 7, stream(0, "test"))
    assert len(set(some.tolist())) == 7


def test_samples_come_from_the_row_that_was_asked(
    configure: Callable[..., Config], trained: Trained, data: Tensors
) -> None:
    config = configure()
    pack, _ = trained("behaviour", [(0, config), (1, config)], 50)
    sampler = ActionSampler(config, data.state_dim, data.action_dim)
    stack = pack._stacks["online"].stack
    alone = Stack(stack.shapes, torch.device("cpu"), trainable=False)
    alone.append(stack.flat[1:])
    states = data.states[:9]
    one = propose(sampler, stack.slice(1, 2), states, 3)
    other = propose(sampler, alone.params, states, 3)
    assert torch.equal(one, other)


def test_the_settings_name_what_the_mathematics_has() -> None:
    """`config` knows no torch, so it repeats these names and costs."""
    behaviour, sampler = (
        {name: get_args(unfold(hint)[0]) for name, hint in field_types(section).items()}
        for section in (Behaviour, Sampler)
    )
    assert tuple(flow_paths.PATHS) == PATHS == behaviour["path"]
    assert {"auto", *get_args(Prediction)} - {"data"} == set(behaviour["predicts"])
    assert {name: cost for name, (_, cost) in SOLVERS.items()} == EVALUATIONS_PER_STEP
    assert ("auto", *SOLVERS) == sampler["solver"]
