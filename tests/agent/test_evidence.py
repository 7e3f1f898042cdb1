"""Evidence: its regression against another computation, what Q never sees, and what follows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from qipo_ray.agent import CriticPack, Member, Pack, PolicyPack, State, Tensors, pack_of
from qipo_ray.agent.critic_report import critic_report
from qipo_ray.agent.evidence import Evidence, evidence, held_out, regression
from qipo_ray.agent.policy_report import policy_report
from qipo_ray.agent.tensors import Normaliser
from qipo_ray.config import Config, load_config
from qipo_ray.config.section import FieldError
from qipo_ray.errors import UserError

Configure = Callable[..., Config]
Trained = Callable[..., tuple[Pack, dict[str, State]]]


def test_the_slope_and_its_error_are_those_of_a_loop_over_episodes() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 12, size=90)
    x = rng.normal(size=90)
    y = 0.7 * x + rng.normal(size=90) + rng.normal(size=12)[groups] * x
    result = regression(*(torch.from_numpy(values) for values in (x, y, groups)))
    design = np.stack([np.ones(90), x], 1)
    coefficients, *_ = np.linalg.lstsq(design, y, rcond=None)
    bread, meat = np.linalg.inv(design.T @ design), np.zeros((2, 2))
    for group in range(12):
        inside = groups == group
        score = design[inside].T @ (y - design @ coefficients)[inside]
        meat += np.outer(score, score)
    variance = 12 / 11 * (bread @ meat @ bread)[1, 1]
    assert result.slope == pytest.approx(coefficients[1], rel=1e-12)
    assert result.error == pytest.approx(math.sqrt(variance), rel=1e-12)
    assert result.correlation == pytest.approx(np.corrcoef(x, y)[0, 1], rel=1e-12)
    assert (result.episodes, result.rows) == (12, 90)
    assert result.sure == pytest.approx(result.slope - 2 * result.error)


def test_whole_episodes_are_held_out_by_seed(data: Tensors) -> None:
    outside = held_out(data, 0.2, seed=3)
    assert outside.sum() == 80
    assert outside.view(40, 10).all(1).sum() == 8  # of 40 episodes
    assert torch.equal(outside, held_out(data, 0.2, seed=3))
    assert not torch.equal(outside, held_out(data, 0.2, seed=4))
    one = dataclasses.replace(data, episodes=torch.arange(400, dtype=torch.int32) // 200)
    assert held_out(one, 0.01, 0).sum() == 200 == held_out(one, 0.5, 0).sum()
    left = held_out(one, 0.5, 0)
    known = dataclasses.replace(one, with_returns=left.nonzero().squeeze(1))
    assert not held_out(known, 0.5, 0).any()  # nothing would be left to train on
    alone = dataclasses.replace(data, episodes=torch.zeros(400, dtype=torch.int32))
    assert not held_out(alone, 0.5, 0).any()


@pytest.mark.parametrize(
    ("updates", "target"),
    [(5, "softmax"), (0, "softmax"), (5, "value")],
    ids=["returns", "bootstrapped", "value"],
)
def test_q_never_sees_what_is_held_out(
    configure: Configure, data: Tensors, trained: Trained, updates: int, target: str
) -> None:
    """Poison in the held-out rows changes no bit, and without the setting it does."""
    config = configure(
        "critic.held_out=0.2", f"critic.returns_updates={updates}", f"critic.target={target}"
    )
    outside = held_out(data, 0.2, 5)
    poisoned = dataclasses.replace(
        data,
        returns=data.returns.masked_fill(outside, math.nan),
        rewards=data.rewards.masked_fill(outside, math.nan),
    )
    _, upstream = trained("critic", [(5, config)], 0)
    weights = []
    for rows in (data, poisoned):
        pack = pack_of("critic", config, data)
        pack.data = rows
        pack.admit(Member(config, 5), upstream, None)
        for _ in range(10):
            pack.update()
        weights.append(pack.state(0)["weights"]["online"])
    assert torch.equal(*weights)
    every = configure("critic.returns_updates=10")
    pack = CriticPack(every, data)
    pack.data = poisoned
    pack.admit(Member(every, 5), upstream, None)
    for _ in range(10):
        pack.update()
    assert pack.state(0)["weights"]["online"].isnan().any()


def stages(config: Config, data: Tensors, updates: int = 300) -> dict[str, State]:
    """The states of both stages before the policy, of seed 0."""
    states: dict[str, State] = {}
    for stage in ("behaviour", "critic"):
        pack = pack_of(stage, config, data)
        pack.admit(Member(config, 0), dict(states), None)
        for _ in range(updates):
            pack.update()
        states[stage] = pack.state(0)
    return states


@pytest.fixture(scope="module")
def foreseen() -> Callable[[float], tuple[Config, Tensors, dict[str, State]]]:
    """A function that returns a trained critic, its data and settings.

    Episodes are one step; a ``share`` of the reward's deviation is owed to the action.
    """

    def make(share: float) -> tuple[Config, Tensors, dict[str, State]]:
        generator = torch.Generator().manual_seed(0)
        states = torch.randn(3000, 2, generator=generator)
        actions = torch.rand(3000, 2, generator=generator) * 2 - 1
        noise = torch.randn(3000, generator=generator)
        rewards = share * actions[:, 0] * 3**0.5 + (1 - share) * noise
        config = load_config(
            "quickstart",
            ["behaviour.width=16", "behaviour.blocks=1", "behaviour.updates=300",
             "critic.width=32", "critic.layers=2", "critic.updates=300",
             "critic.returns_updates=300", "critic.held_out=0.3", "sampler.evaluations=4"],
        )  # fmt: skip
        data = Tensors(
            states=states,
            actions=actions,
            rewards=rewards,
            next_states=states,
            terminals=torch.ones(3000),
            returns=rewards,
            with_returns=torch.arange(3000),
            episodes=torch.arange(3000, dtype=torch.int32),
            normaliser=Normaliser.from_observations(states, "raw"),
        )
        return config, data, stages(config, data)

    return make


@pytest.mark.slow
def test_a_true_q_is_borne_out_and_chance_is_not(
    foreseen: Callable[[float], tuple[Config, Tensors, dict[str, State]]],
) -> None:
    config, data, states = foreseen(0.8)
    true = evidence(config, data, states["behaviour"], states["critic"], 0)
    assert true.slope == pytest.approx(1, abs=0.15) and true.sure > 0.8 and true.rows == 900
    assert true == evidence(config, data, states["behaviour"], states["critic"], 0)
    report = critic_report(config, data, states["behaviour"], states["critic"], 0)
    assert report.evidence == true and not list(report.warnings())
    assert report.plain()["evidence"]["slope"] == true.slope
    config, data, states = foreseen(0.0)
    chance = evidence(config, data, states["behaviour"], states["critic"], 0)
    assert abs(chance.slope) < 3 * chance.error and chance.sure < 0.2
    report = critic_report(config, data, states["behaviour"], states["critic"], 0)
    assert any("does not foresee returns" in text for text in report.warnings())


def test_a_critic_that_bootstraps_is_asked_as_it_ended_on_returns(
    configure: Configure, trained: Trained, data: Tensors
) -> None:
    """Its own targets say what an improved policy would get, not what the episodes got."""
    own, further = (
        configure("critic.held_out=0.2", "critic.returns_updates=20", f"critic.updates={length}")
        for length in (20, 30)
    )
    pack, upstream = trained("critic", [(7, own), (8, further)], 20)
    ended = pack.state(0)
    pack, _ = trained("critic", [(7, further)], 30)
    bootstrapped = pack.state(0)
    kept = bootstrapped["weights"]
    assert torch.equal(kept["returns"], ended["weights"]["online"])
    assert "returns" not in ended["weights"]  # the whole of it was on returns: that is `online`
    assert not torch.equal(kept["returns"], kept["online"])
    asked = [
        evidence(config, data, upstream["behaviour"], critic, 7)
        for config, critic in ((own, ended), (further, bootstrapped))
    ]
    assert asked[0] == asked[1] and math.isfinite(asked[0].slope)


def test_too_few_episodes_are_no_evidence(data: Tensors, configure: Configure) -> None:
    few = dataclasses.replace(data, episodes=torch.arange(400, dtype=torch.int32) // 100)
    config = configure("critic.held_out=0.5")
    states = stages(config, few, updates=20)
    result = evidence(config, few, states["behaviour"], states["critic"], 0)
    assert result.episodes == 2 and math.isnan(result.slope) and result.sure == -math.inf
    report = critic_report(config, few, states["behaviour"], states["critic"], 0)
    assert report.plain()["evidence"]["slope"] is None
    assert Evidence(9, 90, math.nan, 0.1, math.nan).sure == -math.inf


def test_without_evidence_the_policy_stays_the_clone(
    configure: Configure, trained: Trained, data: Tensors
) -> None:
    """Alone it costs nothing; in a pack it is touched by nobody, and touches nobody."""
    doubting = configure("critic.held_out=0.2", "policy.evidence=10")
    believing = configure("critic.held_out=0.2")
    pack, upstream = trained("policy", [(7, doubting)], 45)
    clone = upstream["behaviour"]["weights"]["online"]
    alone = pack.state(0)
    assert alone["updates"] == 45 and pack.pending_sets() == 0
    assert all(torch.equal(alone["weights"][name], clone) for name in ("online", "ema"))
    assert set(pack.metrics(0).values()) == {0.0}
    report = policy_report(doubting, data, *upstream.values(), alone, seed=7)
    assert report.stayed and report.plain()["stayed"] is True
    assert any("still the clone" in text for text in report.warnings())
    both = PolicyPack(doubting, data)
    for config in (doubting, believing):
        both.admit(Member(config, 7), upstream, None)
    other = PolicyPack(believing, data)
    other.admit(Member(believing, 7), upstream, None)
    for _ in range(45):
        both.update()
        other.update()
    beside, moved, expected = both.state(0), both.state(1), other.state(0)
    assert torch.equal(beside["weights"]["online"], clone)
    assert torch.equal(beside["sums"], torch.zeros_like(beside["sums"]))
    torch.testing.assert_close(moved["weights"]["online"], expected["weights"]["online"])
    assert not torch.equal(moved["weights"]["online"], clone)
    both.drop(1)
    both.update()
    assert both.follows == [False] and torch.equal(both.state(0)["weights"]["online"], clone)


@pytest.mark.slow
def test_with_evidence_the_rounds_are_what_they_were(configure: Configure, data: Tensors) -> None:
    easy, plain = (
        configure("critic.held_out=0.2", *more) for more in (["policy.evidence=0.000001"], [])
    )
    states = stages(plain, data, updates=200)
    assert evidence(plain, data, states["behaviour"], states["critic"], 7).sure > 0
    weights = []
    for config in (easy, plain):
        pack = PolicyPack(config, data)
        pack.admit(Member(config, 7), states, None)
        for _ in range(5):
            pack.update()
        weights.append(pack.state(0)["weights"]["online"])
    assert torch.equal(*weights)


def test_evidence_needs_episodes_that_are_held_out() -> None:
    with pytest.raises(UserError, match=r"policy\.evidence needs critic\.held_out above 0; got 1"):
        load_config("quickstart", ["policy.evidence=1"])
    with pytest.raises(FieldError):
        dataclasses.replace(
            load_config("auto"), critic=dataclasses.replace(load_config("auto").critic, held_out=0)
        )
