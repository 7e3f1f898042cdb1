"""Every method's packs: members are alone, states are whole, and something is learned."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from qipo_ray.agent import Diverged, Member, Pack, State, Tensors, pack_of
from qipo_ray.agent.acting import acting_network
from qipo_ray.agent.sampling import scored_weights
from qipo_ray.config import METHODS, Config, method_of
from qipo_ray.config.own_methods import faults_of
from qipo_ray.nets import Stack

Configure = Callable[..., Config]
SMALL = (
    "iql.width=32", "iql.batch_size=64", "iql.learning_rate=0.003",
    "td3bc.width=32", "td3bc.batch_size=64", "td3bc.learning_rate=0.003",
    "fql.width=32", "fql.layers=2", "fql.batch_size=64", "fql.learning_rate=0.003",
    "fql.alpha=0.3", "qgpo.width=32", "qgpo.batch_size=64", "qgpo.learning_rate=0.003",
    "qgpo.layers=2", "qgpo.support_size=8", "qgpo.beta=5",
)  # fmt: skip
LEARNED = {
    "iql": "critic",
    "td3bc": "critic",
    "fql": "critic",
    "qgpo": "online",
}  # with a stack that is trained


def packed(configure: Configure, data: Tensors, method: str, *changes: str) -> tuple[Pack, Config]:
    config = configure(f"policy.method={method}", *SMALL, *changes)
    return pack_of("policy", config, data), config


def test_a_method_is_a_setting_and_has_a_pack() -> None:
    assert set(METHODS) >= {"qipo", "cloning", "iql", "td3bc", "fql", "bestofn", "qgpo"}
    for name, method in METHODS.items():
        assert method.stages[-1] == "policy" and issubclass(method.part("pack"), Pack)
        assert name == method.name and list(faults_of(method)) == []


@pytest.mark.parametrize("method", LEARNED)
def test_members_are_alone_and_a_state_is_whole(
    configure: Configure, data: Tensors, upstream: dict[str, State], method: str
) -> None:
    """Two members, one an update ahead of the other; one stopped, and gone on with elsewhere.

    The precision of the flow's network is none of those that train a policy of one pass.
    """
    alone, config = packed(configure, data, method)
    alone.admit(Member(config, 5), upstream, None)
    for _ in range(11):
        alone.update()
    pack, other = packed(configure, data, method, f"{method}.learning_rate=0.01")
    pack.admit(Member(other, 1), upstream, None)
    pack.update()
    pack.admit(Member(config, 5), upstream, None)
    for _ in range(4):
        pack.update()
    pack.drop(0)
    for _ in range(7):
        pack.update()
    for name, value in alone.state(0)["weights"].items():
        torch.testing.assert_close(pack.state(0)["weights"][name], value, rtol=1e-5, atol=1e-4)
    assert pack.metrics(0) == pytest.approx(alone.metrics(0), rel=1e-4)
    broken, _ = packed(configure, data, method)
    broken.admit(Member(config, 5), upstream, None)
    for _ in range(6):
        broken.update()
    again, _ = packed(configure, data, method)
    again.admit(Member(config, 5), upstream, broken.state(0))
    for _ in range(5):
        again.update()
    for name, value in alone.state(0)["weights"].items():
        assert torch.equal(again.state(0)["weights"][name], value)
    if method == "qgpo":
        return
    half, narrow = packed(configure, data, method, "compute.precision=bfloat16")
    half.admit(Member(narrow, 5), upstream, None)
    for _ in range(11):
        half.update()
    assert torch.equal(half.state(0)["weights"]["critic"], alone.state(0)["weights"]["critic"])


@pytest.mark.slow
@pytest.mark.parametrize("method", LEARNED)
def test_its_policy_prefers_what_is_rewarded(
    configure: Configure, data: Tensors, upstream: dict[str, State], method: str
) -> None:
    """The reward is the first action, which the data draw evenly from [-1, 1]."""
    pack, config = packed(configure, data, method)
    pack.admit(Member(config, 0), upstream, None)
    for _ in range(400):
        pack.update()
    network = acting_network(config, data.state_dim, data.action_dim)
    stack = Stack(network.shapes, torch.device("cpu"), trainable=False)
    stack.append(scored_weights(config, pack.state(0)))
    actions = network(stack.params, data.states[None], torch.zeros(1, 400, 2))[0]
    assert actions[:, 0].mean() > data.actions[:, 0].mean() + 0.3
    assert abs(actions[:, 1].mean()) < 0.3


@pytest.mark.parametrize("method", LEARNED)
def test_divergence_is_said(
    configure: Configure, data: Tensors, upstream: dict[str, State], method: str
) -> None:
    pack, config = packed(configure, data, method)
    for seed in range(2):
        pack.admit(Member(config, seed), upstream, None)
    trained = pack._stacks[LEARNED[method]]
    trained.stack.flat[: trained.rows] = math.nan
    with pytest.raises(Diverged, match="policy weights are not finite at update 0"):
        pack.check(0)
    pack.check(1)
    pack.update()
    with pytest.raises(Diverged, match="policy .* is nan at update 1"):
        pack.metrics(0)
    assert all(math.isfinite(value) for value in pack.metrics(1).values())


def test_cloning_is_the_clone_whatever_its_update(configure: Configure, data: Tensors) -> None:
    config = configure("policy.method=cloning")
    assert method_of(config).stages == ("behaviour", "policy")
    behaviour = pack_of("behaviour", config, data)
    behaviour.admit(Member(config, 0), {}, None)
    for _ in range(5):
        behaviour.update()
    cloned = behaviour.state(0)
    pack = pack_of("policy", config, data)
    pack.admit(Member(config, 0), {"behaviour": cloned}, None)
    for _ in range(3):
        pack.update()
    state = pack.state(0)
    assert state["updates"] == 3 and state["weights"].keys() == {"online", "ema"}
    for name, value in state["weights"].items():
        assert torch.equal(value, cloned["weights"][name])
    assert pack.metrics(0) == {"grad_norm": 0}
