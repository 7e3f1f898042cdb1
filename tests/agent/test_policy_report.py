"""The policy report: what it says of the behaviour itself and of a policy that left it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from qipo_ray.agent import ActionSampler, Pack, State, Tensors
from qipo_ray.agent.judge import Judge, loaded
from qipo_ray.agent.policy_report import PolicyReport, policy_report
from qipo_ray.config import Config

Trained = Callable[..., tuple[Pack, dict[str, State]]]
SOUND = PolicyReport(512, 16, drift=1.2, action_std=0.3, q_mean=9.0, q_best=9.0, q_std=2.0)


@pytest.fixture
def states(trained: Trained, configure: Callable[..., Config]) -> dict[str, State]:
    """Behaviour and critic, and as policy the behaviour itself (no updates)."""
    pack, upstream = trained("policy", [(0, configure())], 0)
    return {**upstream, "policy": pack.state(0)}


def test_the_behaviour_itself_has_not_moved(
    states: dict[str, State], data: Tensors, configure: Callable[..., Config]
) -> None:
    before = torch.get_rng_state()
    report = policy_report(configure(), data, *states.values(), seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    assert policy_report(configure(), data, *states.values(), seed=3) == report
    assert policy_report(configure(), data, *states.values(), seed=4).drift != report.drift
    assert (report.rows, report.actions) == (400, 16)
    assert report.drift == pytest.approx(1, abs=0.05)
    # The best of 16 draws lies about 1.77 standard deviations above their mean.
    assert 1.2 < (report.q_best - report.q_mean) / report.q_std < 2.2
    assert report.stayed
    assert [text.partition(":")[0] for text in report.warnings()] == ["still the clone"]


@pytest.mark.slow
def test_another_policy_is_measured_with_the_weights_that_are_scored(
    states: dict[str, State], data: Tensors, configure: Callable[..., Config]
) -> None:
    config = configure()
    online, average = (states["policy"]["weights"][name] for name in ("online", "ema"))
    assert torch.equal(online, average)
    moved = online.clone()
    sampler = ActionSampler(config, data.state_dim, data.action_dim)
    noise = torch.Generator().manual_seed(0)
    moved += 0.5 * torch.randn(moved.shape, generator=noise)
    states["policy"]["weights"]["ema"] = moved
    same = policy_report(config, data, *states.values(), seed=3)
    report = policy_report(configure("evaluation.weights=ema"), data, *states.values(), seed=3)
    assert same.stayed and not report.stayed
    assert (report.q_best, report.q_std) == (same.q_best, same.q_std)  # of the behaviour

    def draw(weights: torch.Tensor, size: int) -> torch.Tensor:
        draws = torch.randn(1, 400 * size, 2, generator=noise)
        repeated = data.states.repeat_interleave(size, 0)[None]
        params = loaded(sampler.network.shapes, weights).params
        return sampler(params, repeated, draws)[0].view(400, size, 2)

    actions, first, again = draw(moved, 16), draw(online, 16), draw(online, 16)
    near, usual = (
        np.mean([[min(np.hypot(*(b - a)) for b in row) for a in some] for some, row in pairs])
        for pairs in (
            list(zip(one.numpy(), first.numpy(), strict=True)) for one in (actions, again)
        )
    )
    assert report.drift == pytest.approx(near / usual, rel=0.04)
    many = draw(moved, 200)
    q = Judge(config, states["critic"]).value(data.states, many)
    assert report.q_mean == pytest.approx(q.mean().item(), abs=0.1 * same.q_std)
    assert report.action_std == pytest.approx(actions.std(1).mean().item(), rel=0.1)


def test_the_behaviour_is_the_one_that_the_policy_began_with(
    states: dict[str, State], data: Tensors, configure: Callable[..., Config]
) -> None:
    config = configure("behaviour.weights=ema")
    plain = policy_report(config, data, *states.values(), seed=3)
    states["behaviour"]["weights"]["online"] = states["behaviour"]["weights"]["online"] + 1
    assert policy_report(config, data, *states.values(), seed=3) == plain


def test_a_warning_where_q_was_never_asked() -> None:
    assert list(SOUND.warnings()) == []
    assert list(replace(SOUND, q_mean=9.3).warnings()) == []
    (warning,) = replace(SOUND, q_mean=9.5).warnings()
    assert warning == (
        "beyond what the critic knows: its average action looks better to Q (9.5) than the best "
        "of 16 of the behaviour (9); policy.trust bounds that"
    )
    plain = replace(SOUND, drift=float("nan")).plain()
    assert plain["drift"] is None and plain["warnings"] == []
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
