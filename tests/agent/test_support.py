"""Support sets: what is drawn, how it is weighted, and how far a policy has moved."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from qipo_ray.agent import CriticPack, Member, Pack, PolicyPack, State, Tensors, policy
from qipo_ray.agent.expectile import expectile
from qipo_ray.agent.pack import stream
from qipo_ray.agent.policy import HEALTH
from qipo_ray.agent.sampling import ActionSampler
from qipo_ray.agent.support import (
    drift,
    support_actions,
    support_beta,
    support_pool,
    trusted_beta,
)
from qipo_ray.config import Config
from qipo_ray.flow import effective_sample_size
from qipo_ray.nets import Stack

Configure = Callable[..., Config]
Trained = Callable[..., tuple[Pack, dict[str, State]]]


def weighted(pack: Pack) -> torch.Tensor:
    assert isinstance(pack, PolicyPack) and pack.support[0] is not None
    return pack.support[0].weights


def test_a_pool_is_all_rows_or_some_without_repeat() -> None:
    assert support_pool(5, 0, stream(0, "x")).tolist() == [0, 1, 2, 3, 4]
    some = support_pool(1000, 100, stream(0, "x"))
    assert len(set(some.tolist())) == 100


def test_beta_grows_by_a_factor_each_round(configure: Configure) -> None:
    values = torch.randn(10, 5, generator=stream(0, "x"))
    config = configure("policy.beta=3", "policy.beta_growth=0.5")
    assert [support_beta(values, config, number) for number in range(3)] == [3, 1.5, 0.75]


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_target_ess_finds_the_beta_whatever_the_unit_of_q(
    configure: Configure, scale: float
) -> None:
    values = scale * torch.randn(500, 16, generator=stream(0, "x"))
    config = configure("policy.target_ess=0.25")
    beta = support_beta(values, config, 0)
    size = effective_sample_size(torch.softmax(beta * values, -1)).mean()
    assert float(size) == pytest.approx(4, rel=1e-3)
    unit = support_beta(values / scale, config, 0)
    assert beta * scale == pytest.approx(unit, rel=1e-3)


def test_target_ess_of_equal_values_selects_nothing(configure: Configure) -> None:
    config = configure("policy.target_ess=0.5")
    noise = 1e-5 * torch.randn(10, 4, generator=stream(0, "x"))
    assert support_beta(torch.full((10, 4), 7.0), config, 0) == 0
    assert support_beta(300 + noise, config, 0) == 0  # what single precision leaves of 0


def test_target_ess_of_tied_values_stays_within_the_spread(configure: Configure) -> None:
    """Half of the actions tie at the top: a quarter of them cannot be had."""
    values = torch.tensor([1.0, 0.0] * 8).repeat(20, 1)
    beta = support_beta(values, configure("policy.target_ess=0.25"), 0)
    assert 10 < beta < 200


def test_target_ess_is_that_of_the_whole_set(configure: Configure) -> None:
    """Rows of little spread come first, as in a file of many policies."""
    values = torch.randn(20_000, 16, generator=stream(0, "x"))
    values[:5000] *= 0.1
    beta = support_beta(values, configure("policy.target_ess=0.3"), 0)
    size = effective_sample_size(torch.softmax(beta * values, -1)).mean()
    assert float(size) == pytest.approx(4.8, rel=0.05)


def test_a_pack_uses_and_tells_the_beta_that_it_found(
    configure: Configure, trained: Trained
) -> None:
    config = configure("policy.target_ess=0.5", "policy.beta=1e9", "policy.data_action=false")
    pack, _ = trained("policy", [(0, config)], 5)
    assert float(effective_sample_size(weighted(pack)).mean()) == pytest.approx(3, rel=0.01)
    metrics = pack.metrics(0)
    assert 0 < metrics["beta"] < 1e9 and metrics["ess"] == pytest.approx(3, rel=0.01)


def test_half_precision_holds_the_same_actions_in_half_the_room(
    configure: Configure, trained: Trained
) -> None:
    packs = [
        trained("policy", [(0, configure(f"compute.support={kind}"))], 1)[0]
        for kind in ("float32", "float16")
    ]
    whole, half = (pack.support[0] for pack in packs if isinstance(pack, PolicyPack))
    assert whole is not None and half is not None
    assert half.actions.dtype == torch.float16
    torch.testing.assert_close(half.actions.float(), whole.actions, atol=1e-3, rtol=0)
    torch.testing.assert_close(half.weights, whole.weights, atol=0.02, rtol=0)


def test_drift_is_one_for_the_behaviour_and_grows_with_distance() -> None:
    first, second, third = (torch.randn(200, 16, 3, generator=stream(i, "x")) for i in range(3))
    assert float(drift(first, second, third)) == pytest.approx(1, abs=0.05)
    moved = [float(drift(first + shift, second, third)) for shift in (0.5, 1.0, 2.0)]
    assert moved == sorted(moved) and moved[-1] > 2


def test_the_behaviour_itself_has_not_drifted(configure: Configure, trained: Trained) -> None:
    """In the first round the behaviour draws; later the policy, which is pulled away here."""
    pack, _ = trained("policy", [(0, configure("sampler.clip=false"))], 20)
    assert isinstance(pack, PolicyPack)
    first = pack.metrics(0)["drift"]
    pack.online.params["out.bias"].data += 3  # a velocity that carries actions far away
    pack.update()
    assert first == pytest.approx(1, abs=0.15) and pack.metrics(0)["drift"] > 1.5


@pytest.mark.parametrize("tau", [0.5, 0.7, 0.99])
def test_the_expectile_balances_what_is_above_and_below(tau: float) -> None:
    values = torch.randn(2, 5, 8, generator=stream(0, "x"), dtype=torch.float64)
    found = expectile(values, torch.full((2, 1, 1), tau, dtype=torch.float64))
    above = (values - found.unsqueeze(-1)).clamp_min(0).sum(-1)
    below = (found.unsqueeze(-1) - values).clamp_min(0).sum(-1)
    torch.testing.assert_close(tau * above, (1 - tau) * below)
    if tau == 0.5:
        torch.testing.assert_close(found, values.mean(-1))


def test_an_expectile_target_is_higher_than_the_mean_and_below_the_maximum(
    configure: Configure, trained: Trained, data: Tensors
) -> None:
    """Rewards of 0: the target is the discounted value itself."""
    values = {}
    for tau in (0.5, 0.9):
        config = configure("critic.target=expectile", f"critic.expectile={tau}")
        pack, _ = trained("critic", [(0, config)], 30)
        assert isinstance(pack, CriticPack) and pack.support[0] is not None
        rows, actions = pack.support[0].pool[None, :10], pack.support[0].actions[None, :10]
        values[tau] = pack._bootstrap(slice(None), rows, actions)[0][:, 0]
    going_on = data.terminals[rows] == 0
    assert (values[0.9] >= values[0.5])[going_on].all()


def test_trust_bounds_the_tilt_at_what_the_critic_knows() -> None:
    values = torch.randn(300, 16, generator=stream(0, "x"))

    def level(beta: float) -> float:
        return float((torch.softmax(beta * values, -1) * values).sum(-1).mean())

    assert trusted_beta(values, 3.0, limit=10.0) == 3.0  # far away: the wanted beta
    bounded = trusted_beta(values, 3.0, limit=0.9)
    assert 0 < bounded < 3 and level(bounded) == pytest.approx(0.9, abs=1e-3)
    assert trusted_beta(values, 3.0, limit=-1.0) == 0  # beyond it already: no tilt
    least = float(values.mean() + 0.05)  # a tilt that leaves the weights next to equal
    assert (
        trusted_beta(values, 3.0, limit=least) == 0 < trusted_beta(values, 3.0, limit=least + 0.1)
    )
    assert trusted_beta(values, 0.01, limit=10.0) == 0.01  # so gentle a tilt may be wanted


def test_a_pack_with_trust_bounds_its_tilt(configure: Configure, trained: Trained) -> None:
    """A tilt far beyond what the critic knows is cut back."""
    told = {}
    for trust in (0, 2):
        config = configure(f"policy.trust={trust}", "policy.beta=200")
        pack, _ = trained("policy", [(0, config)], 1)
        told[trust] = pack.metrics(0)
    assert told[0]["beta"] == 200 and 0 < told[2]["beta"] < 200
    assert told[2]["ess"] > told[0]["ess"]
    assert 0 < told[2]["room_q"] < told[2]["support_q_std"] * 2


Resting = tuple[PolicyPack, Config, dict[str, State], State]


@pytest.fixture
def resting(configure: Configure, trained: Trained) -> Resting:
    """A pack whose member 1 rests since update 20, its configuration, upstream and state then.

    Round one tilts it; where that led, Q's best of one of the behaviour's actions is far behind.
    Member 0 is led on, member 2 clones itself at beta 0.
    """
    free = configure("policy.trust=0", "policy.beta=200")
    bound = configure("policy.trust=1", "policy.beta=200")
    control = configure("policy.trust=1", "policy.beta=0")
    before, upstream = trained("policy", [(0, free)], 20)
    pack = PolicyPack(free, before.data)
    for config in (free, bound, control):
        pack.admit(Member(config, 0), upstream, before.state(0))
    for _ in range(3):
        pack.update()
    return pack, bound, upstream, before.state(0)


def rest_of(pack: PolicyPack) -> list[bool]:
    return [one is not None and one.rests for one in pack.support]


def test_a_policy_beyond_what_the_critic_knows_rests(resting: Resting) -> None:
    pack, _, _, before = resting
    assert rest_of(pack) == [False, True, False]
    one = pack.support[1]
    assert one is not None and one.health[HEALTH.index("room_q")] < 0
    states = [pack.state(i) for i in range(3)]
    for name in ("online", "ema"):
        moved = [not torch.equal(s["weights"][name], before["weights"][name]) for s in states]
        assert moved == [True, False, True]
    steps = [float(state["moments"][0]["step"]) for state in states]
    assert steps[0] == steps[2] == steps[1] + 3
    assert pack.members[1].updates == 23


def test_a_rest_is_kept_when_others_come_and_go_and_a_run_goes_on(resting: Resting) -> None:
    pack, config, upstream, _ = resting
    state = pack.state(1)
    again = PolicyPack(config, pack.data)
    again.admit(Member(config, 0), upstream, state)
    pack.drop(2)
    pack.admit(Member(config, 5), upstream, None)
    pack.drop(0)
    for _ in range(4):
        pack.update()
        again.update()
    assert rest_of(again) == [True] and rest_of(pack)[0]
    for found in (pack.state(0), again.state(0)):
        for name in ("online", "ema"):
            assert torch.equal(found["weights"][name], state["weights"][name])
    assert torch.equal(pack.state(0)["generator"], again.state(0)["generator"])


def test_the_next_round_looks_again(resting: Resting) -> None:
    """A critic to which all actions are equal has nothing against the tilt."""
    pack, _, _, before = resting
    pack.critic.flat.zero_()
    while pack.members[1].updates < 42:
        pack.update()
    assert rest_of(pack) == [False, False, False]
    now = pack.state(1)
    assert not torch.equal(now["weights"]["online"], before["weights"]["online"])
    assert not torch.equal(now["weights"]["ema"], before["weights"]["ema"])
    assert float(now["moments"][0]["step"]) == float(before["moments"][0]["step"]) + 2


@pytest.mark.slow
def test_actions_whose_weight_is_rounding_are_skipped_at_an_equal_end(
    configure: Configure, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After 50 updates the weights are those of all actions; a sharp beta leaves half to count."""
    config = configure("behaviour.network=unet", "policy.loss_actions=0", "policy.beta=300")
    rows: list[int] = []
    loss = policy.regression_loss
    monkeypatch.setattr(
        policy, "regression_loss", lambda *a: rows.append(a[1].shape[1]) or loss(*a)
    )
    ends = {}
    for least in (policy.NEGLIGIBLE, -1.0):
        monkeypatch.setattr(policy, "NEGLIGIBLE", least)
        pack, _ = trained("policy", [(0, config)], 50)
        assert isinstance(pack, PolicyPack)
        ends[least] = pack.online.flat, pack.ema.flat, sum(rows), pack.metrics(0)["loss"]
        rows.clear()
    (online, average, fewer, small), (expected, smooth, all_rows, whole) = ends.values()
    assert fewer < 0.7 * all_rows
    torch.testing.assert_close(online, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(average, smooth, atol=1e-5, rtol=0)
    assert small == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize("network", ["unet", "residual"])
def test_support_actions_are_those_of_repeated_states(
    configure: Configure, data: Tensors, network: str
) -> None:
    """What depends on the state and the time alone is computed once for all of its actions."""
    sampler = ActionSampler(configure(f"behaviour.network={network}"), 2, 2)
    stack = Stack(sampler.shapes, torch.device("cpu"), trainable=False)
    stack.append(torch.randn(1, stack.width, generator=stream(0, "x")) / 8)
    pool, noise = torch.tensor([5, 0, 7]), torch.randn(1, 12, 2, generator=stream(1, "x"))
    drawn = support_actions(sampler, stack.params, data.states, pool, 4, stream(1, "x"))
    repeated = data.states[pool].repeat_interleave(4, 0).unsqueeze(0)
    expected = sampler(stack.params, repeated, noise).view(3, 4, 2)
    torch.testing.assert_close(drawn, expected)
    assert float(drawn.std(1).min()) > 0.1
