"""Rows drawn by their energy, and the updates on the data's own actions that begin a policy."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import pytest
import torch

from qipo_ray.agent import Member, Pack, PolicyPack, State, Tensors
from qipo_ray.agent.data_energy import (
    episode_returns,
    mixed,
    resampled,
    share_near_best,
    tilted,
)
from qipo_ray.agent.policy import BEFORE_ROUNDS
from qipo_ray.config import Config
from qipo_ray.errors import UserError

Configure = Callable[..., Config]
Trained = Callable[..., tuple[Pack, dict[str, State]]]


def test_returns_are_sums_by_episode(data: Tensors) -> None:
    """Episodes may be numbered with gaps."""
    gaps = dataclasses.replace(data, episodes=data.episodes * 3 + 5)
    for numbered in (data, gaps):
        episodes, returns = episode_returns(numbered)
        assert torch.equal(episodes, data.episodes.long())
        expected = data.rewards.double().view(40, 10).sum(1)
        torch.testing.assert_close(returns, expected)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.9])
def test_the_tilt_has_the_wanted_effective_sample_size(share: float) -> None:
    energy = torch.randn(500, generator=torch.Generator().manual_seed(0))
    weights, beta = tilted(energy, share)
    assert float(1 / weights.square().sum()) == pytest.approx(share * 500, rel=1e-6)
    torch.testing.assert_close(weights, torch.softmax(beta * energy.double(), 0))
    scaled, scaled_beta = tilted(1000 * energy - 7, share)  # another unit, another zero
    torch.testing.assert_close(scaled, weights, rtol=1e-4, atol=1e-9)
    assert scaled_beta == pytest.approx(beta / 1000, rel=1e-4)


def test_a_share_of_the_rows_may_be_drawn_evenly() -> None:
    weights = torch.tensor([0.9, 0.1, 0.0, 0.0], dtype=torch.float64)
    assert torch.equal(mixed(weights, 0), weights)
    expected = torch.tensor([0.77, 0.13, 0.05, 0.05], dtype=torch.float64)
    torch.testing.assert_close(mixed(weights, 0.2), expected)


def test_equal_energies_have_equal_weights() -> None:
    weights, beta = tilted(torch.full((8,), 3.7), 0.3)
    assert beta == 0 and weights.eq(1 / 8).all()


def test_rows_come_as_often_as_their_weight_says() -> None:
    weights = torch.tensor([0.5, 0.0, 0.2, 0.3], dtype=torch.float64).repeat(2000) / 2000
    rows = resampled(weights, torch.Generator().manual_seed(0))
    shares = torch.bincount(rows % 4, minlength=4) / len(rows)
    torch.testing.assert_close(shares, torch.tensor([0.5, 0, 0.2, 0.3]), atol=0.02, rtol=0)


@pytest.mark.parametrize("weight", ["return", "advantage"])
def test_the_first_updates_are_on_the_data_s_actions_alone(
    configure: Configure, trained: Trained, data: Tensors, weight: str
) -> None:
    config = configure("policy.data_updates=8", f"policy.data_weight={weight}")
    pack, _ = trained("policy", [(0, config)], 3)
    assert isinstance(pack, PolicyPack)
    (own,) = pack.support
    assert own is not None and own.renewal == BEFORE_ROUNDS and own.actions.shape[1] == 1
    assert torch.equal(own.actions[:, 0], data.actions[own.pool])
    if weight == "return":
        episodes, returns = episode_returns(data)
        chosen = returns[episodes[own.pool]].mean()
        assert chosen > returns.mean() + 0.5 * returns.std()
    for _ in range(6):
        pack.update()
    (first,) = pack.support
    assert first is not None and first.renewal == 0 and first.actions.shape[1] > 1
    assert torch.equal(pack.source.flat, pack.state(0)["weights"]["sampler"])


def test_what_no_good_episode_holds_is_not_learned_from(
    configure: Configure, trained: Trained, data: Tensors
) -> None:
    """Actions of the worse half are poisoned, and hardly drawn by a sharp tilt."""
    episodes, returns = episode_returns(data)
    worse = returns[episodes] < returns.median()
    poisoned = dataclasses.replace(
        data, actions=data.actions.masked_fill(worse.unsqueeze(1), math.nan)
    )
    tilt = "policy.data_updates=20", "policy.data_ess=0.025"
    _, upstream = trained("policy", [(0, configure(*tilt))], 1)
    for uniform in (0, 0.5):  # of all rows some, by switch: these are poison here
        config = configure(*tilt, f"policy.data_uniform={uniform}")
        pack = PolicyPack(config, poisoned)
        pack.admit(Member(config, 0), upstream, None)
        for _ in range(10):
            pack.update()
        assert pack.state(0)["weights"]["online"].isfinite().all() == (uniform == 0)


def test_a_member_without_evidence_learns_from_the_data_and_then_rests(
    configure: Configure, trained: Trained
) -> None:
    sure = "critic.held_out=0.2", "policy.evidence=10", "policy.data_updates=5"
    pack, upstream = trained("policy", [(0, configure(*sure))], 5)
    learned = pack.state(0)["weights"]
    assert not torch.equal(learned["online"], upstream["behaviour"]["weights"]["online"])
    for _ in range(4):
        pack.update()
    assert torch.equal(pack.state(0)["weights"]["online"], learned["online"])
    assert torch.equal(pack.state(0)["weights"]["ema"], learned["ema"])


def test_updates_on_the_data_may_have_their_own_rate(
    configure: Configure, trained: Trained
) -> None:
    """And where there are rounds, none of them where they are to stand alone."""
    own = "policy.data_updates=4", "policy.data_learning_rate=0.125", "policy.learning_rate=0.25"
    pack, upstream = trained("policy", [(0, configure(*own))], 4)
    assert pack.optimisers["online"].rates == [0.125]
    pack.update()
    assert pack.optimisers["online"].rates == [0.25]
    before = upstream["behaviour"]["weights"]["online"]
    pack, upstream = trained("policy", [(0, configure(*own, "policy.data_alone=true"))], 4)
    assert torch.equal(pack.state(0)["weights"]["online"], before)
    pack.update()
    assert not torch.equal(pack.state(0)["weights"]["online"], before)


def test_where_good_episodes_are_common_nothing_is_tilted(
    configure: Configure, trained: Trained, data: Tensors
) -> None:
    """Half of the episodes have the best return; then a few of them."""
    episodes = data.episodes.long()
    for best, share in ((20, 0.5), (4, 0.1)):
        rewards = (episodes < best).float() + 0.01 * (episodes % 2)
        some = dataclasses.replace(data, rewards=rewards)
        assert share_near_best(some, 0.9) == pytest.approx(share)
        config = configure(
            "policy.data_updates=5", "policy.data_common=0.9", "policy.data_ess=0.3"
        )
        _, upstream = trained("policy", [(0, config)], 1)
        pack = PolicyPack(config, some)
        pack.admit(Member(config, 0), upstream, None)
        for _ in range(5):
            pack.update()
        before = upstream["behaviour"]["weights"]["online"]
        assert torch.equal(pack.state(0)["weights"]["online"], before) == (share == 0.5)
        pack.update()  # its rounds begin as ever
        assert not torch.equal(pack.state(0)["weights"]["online"], before)
    even = dataclasses.replace(data, rewards=torch.ones(400))
    assert share_near_best(even, 0.9) == 0


@pytest.mark.slow
def test_it_does_not_depend_on_its_pack_and_goes_on_bit_for_bit(
    configure: Configure, trained: Trained, data: Tensors
) -> None:
    config = configure("policy.data_updates=10")
    alone, upstream = trained("policy", [(0, config)], 14)
    pack = PolicyPack(config, data)
    pack.admit(Member(config, 1), upstream, None)
    for _ in range(7):  # the other one is in its rounds while this one is on the data
        pack.update()
    pack.admit(Member(config, 0), upstream, None)
    for _ in range(14):
        pack.update()
    online = alone.state(0)["weights"]["online"]
    torch.testing.assert_close(pack.state(1)["weights"]["online"], online, rtol=1e-5, atol=1e-5)
    broken, _ = trained("policy", [(0, config)], 6)
    again = PolicyPack(config, data)
    again.admit(Member(config, 0), upstream, broken.state(0))
    for _ in range(8):
        again.update()
    assert torch.equal(again.state(0)["weights"]["online"], online)


def test_a_policy_without_rounds_has_updates_on_the_data(configure: Configure) -> None:
    assert configure("policy.rounds=0", "policy.data_updates=9").policy.updates == 9
    with pytest.raises(UserError, match=r"policy\.rounds times .* must be from 1 to .*; got 0"):
        configure("policy.rounds=0")
