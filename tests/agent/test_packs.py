"""Packs: members equal packs of one, come and go, and go on from a state bit for bit."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from qipo_ray.agent import CriticPack, Diverged, Member, Pack, State, Tensors, pack_of
from qipo_ray.config import Config

STAGES = ["behaviour", "critic", "policy"]
Trained = Callable[..., tuple[Pack, dict[str, State]]]


def weights(pack: Pack, i: int = 0) -> dict[str, torch.Tensor]:
    return pack.state(i)["weights"]


def assert_equal_states(one: object, other: object) -> None:
    """Bit equality of nested states."""
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert isinstance(other, dict) and one.keys() == other.keys()
        for key in one:
            assert_equal_states(one[key], other[key])
    elif isinstance(one, list):
        assert isinstance(other, list) and len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_equal_states(a, b)
    elif isinstance(one, torch.Tensor):
        assert isinstance(other, torch.Tensor) and torch.equal(one, other)
    else:
        assert one == other


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_pack_of_four_equals_four_packs_of_one(
    stage: str, configure: Callable[..., Config], trained: Trained
) -> None:
    """Own seed, learning rate and beta for each; 1e-5 at step 50, as the design promises."""
    members = [
        (seed, configure(f"policy.beta={1 + seed}", f"{stage}.learning_rate={1e-3 * (1 + seed)}"))
        for seed in range(4)
    ]
    pack, _ = trained(stage, members, 50)
    for i, member in enumerate(members):
        alone, _ = trained(stage, [member], 50)
        for name, value in weights(alone).items():
            torch.testing.assert_close(weights(pack, i)[name], value, rtol=1e-5, atol=1e-5)
        metrics, expected = pack.metrics(i), alone.metrics(0)
        assert metrics == pytest.approx(expected, rel=1e-4, abs=1e-5)


SWITCHES = (
    "policy.trust=4", "policy.target_ess=0.3", "policy.beta_growth=0.5", "policy.sampler=ema",
    "compute.precision=bfloat16", "compute.support=float16", "critic.target=expectile",
    "critic.pairs=2", "critic.judge=lower",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "changes"),
    [
        *((stage, changes) for stage in STAGES for changes in ((), SWITCHES)),
        ("critic", ("critic.target=value", "critic.n_step=3")),
        ("policy", ("policy.refit_updates=3", "critic.pairs=2", "critic.held_out=0.2")),
    ],
)
def test_a_state_goes_on_bit_for_bit(
    stage: str,
    changes: tuple[str, ...],
    configure: Callable[..., Config],
    trained: Trained,
    data: Tensors,
) -> None:
    """Stopped in mid-round and in mid-window, continued in a new pack: equal to the last bit."""
    config = configure(*changes)
    unbroken, _ = trained(stage, [(3, config)], 57)
    broken, upstream = trained(stage, [(3, config)], 33)
    continued = pack_of(stage, config, data)
    continued.admit(Member(config, 3), upstream, broken.state(0))
    for _ in range(24):
        continued.update()
    assert_equal_states(continued.state(0), unbroken.state(0))


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_members_come_and_go(
    stage: str, configure: Callable[..., Config], trained: Trained, data: Tensors
) -> None:
    """A member that met others for a while ends where it ends alone."""
    config = configure()
    alone, upstream = trained(stage, [(0, config)], 40)
    pack = pack_of(stage, config, data)
    pack.admit(Member(config, 1), upstream, None)
    for _ in range(5):
        pack.update()
    pack.admit(Member(config, 0), upstream, None)  # starts five updates later, in the same pack
    for _ in range(15):
        pack.update()
    pack.drop(0)
    pack.admit(Member(config, 2), upstream, None)
    for _ in range(25):
        pack.update()
    assert [member.updates for member in pack.members] == [40, 25]
    for name, value in weights(alone).items():
        torch.testing.assert_close(weights(pack)[name], value, rtol=1e-5, atol=1e-5)


@pytest.mark.slow_after(1)
@pytest.mark.parametrize("stage", STAGES)
def test_a_member_that_diverges_says_so_and_harms_none(
    stage: str, configure: Callable[..., Config], trained: Trained, data: Tensors
) -> None:
    config = configure()
    pack, upstream = trained(stage, [(0, config), (1, config)], 10)
    pack._stacks["online"].stack.flat[: pack._stacks["online"].rows] = math.nan
    for _ in range(10):
        pack.update()
    with pytest.raises(Diverged, match=f"{stage} loss is nan at update 20"):
        pack.metrics(0)
    alone, _ = trained(stage, [(1, config)], 20)
    for name, value in weights(alone).items():
        torch.testing.assert_close(weights(pack, 1)[name], value, rtol=1e-5, atol=1e-5)


def test_a_renewal_with_a_diverged_member_harms_none(
    configure: Callable[..., Config], trained: Trained
) -> None:
    config = configure("policy.renew_every=20")
    pack, _ = trained("policy", [(0, config), (1, config)], 10)
    pack._stacks["critic"].stack.flat[:2] = math.nan
    for _ in range(15):
        pack.update()
    with pytest.raises(Diverged, match="policy support_q is nan"):
        pack.metrics(0)
    assert all(math.isfinite(value) for value in pack.metrics(1).values())


def test_a_members_draws_do_not_depend_on_its_pack(
    configure: Callable[..., Config], trained: Trained
) -> None:
    config = configure()
    pack, _ = trained("behaviour", [(0, config), (1, config)], 3)
    alone, _ = trained("behaviour", [(1, config)], 3)
    assert torch.equal(pack.noise(4, 2)[1], alone.noise(4, 2)[0])
    assert not torch.equal(pack.noise(4, 2)[0], pack.noise(4, 2)[1])


@pytest.mark.parametrize("stage", ["behaviour", "policy"])
def test_a_loss_beyond_what_actions_allow_has_diverged(
    configure: Callable[..., Config], trained: Trained, stage: str
) -> None:
    pack, _ = trained(stage, [(0, configure())], 10)
    assert pack.metrics(0)["loss"] < 10
    pack._stacks["online"].stack.flat *= 100
    pack.update()
    with pytest.raises(Diverged, match=rf"{stage} loss is [\d.e+]+ at update 11, beyond 2000"):
        pack.metrics(0)


def test_a_q_beyond_what_rewards_allow_has_diverged(
    configure: Callable[..., Config], trained: Trained
) -> None:
    pack, _ = trained("critic", [(0, configure())], 10)
    pack._stacks["online"].stack.flat *= 1000
    pack.update()
    with pytest.raises(Diverged, match=r"critic q_data is -?[\d.e+]+ at update 11, beyond"):
        pack.metrics(0)


@pytest.mark.slow
def test_q_is_told_apart_in_bfloat16_as_in_single_precision(
    configure: Callable[..., Config], trained: Trained
) -> None:
    """Actions that differ by 0.1 at a Q of 300, where neighbours in bfloat16 are 2 apart."""
    told = []
    for precision in ("float32", "bfloat16"):
        pack, _ = trained("policy", [(0, configure(f"compute.precision={precision}"))], 1)
        pack._stacks["critic"].stack.params["out.bias"].data += 300
        for _ in range(20):
            pack.update()
        told.append(pack.metrics(0))
    for name in ("support_q_std", "ess"):
        assert told[1][name] == pytest.approx(told[0][name], rel=0.1)


def test_a_critic_without_rewards_has_not_diverged(
    configure: Callable[..., Config], trained: Trained, data: Tensors
) -> None:
    config = configure("critic.returns_updates=0")
    _, upstream = trained("critic", [(0, config)], 0)
    nothing = torch.zeros_like(data.rewards)
    pack = CriticPack(config, replace(data, rewards=nothing, returns=nothing))
    pack.admit(Member(config, 0), upstream, None)
    for _ in range(5):
        pack.update()
    assert abs(pack.metrics(0)["q_data"]) < 10


@pytest.mark.slow
def test_members_of_other_trust_and_beta_train_side_by_side(
    configure: Callable[..., Config], trained: Trained
) -> None:
    others = ("policy.trust=4", "policy.target_ess=0.3", "policy.beta_growth=0.5")
    members = [(seed, configure(other)) for seed, other in enumerate(others)]
    pack, _ = trained("policy", members, 45)
    for i, member in enumerate(members):
        alone, _ = trained("policy", [member], 45)
        torch.testing.assert_close(weights(pack, i), weights(alone), rtol=1e-5, atol=1e-5)


@pytest.mark.slow_after(1)
@pytest.mark.parametrize("stage", STAGES)
def test_bfloat16_learns_as_float32_does(
    stage: str, configure: Callable[..., Config], trained: Trained
) -> None:
    """Losses agree to a few per cent, and the weights stay in single precision."""
    losses = []
    for precision in ("float32", "bfloat16"):
        pack, _ = trained(stage, [(0, configure(f"compute.precision={precision}"))], 30)
        assert weights(pack)["online"].dtype == torch.float32
        metrics = pack.metrics(0)
        assert metrics["grad_norm"] > 0
        losses.append(metrics["loss"])
    assert losses[0] != losses[1] and losses[1] == pytest.approx(losses[0], rel=0.1)
