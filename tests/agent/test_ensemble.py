"""An ensemble of twins: one Q for all who ask, pairs that are apart, what they say together."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from qipo_ray.agent import CriticPack, Pack, PolicyPack, State, Tensors
from qipo_ray.agent.agreement import agreement
from qipo_ray.agent.critic_report import critic_report
from qipo_ray.agent.ensemble import judged
from qipo_ray.agent.judge import Judge
from qipo_ray.agent.value_critic import ValueCriticPack
from qipo_ray.config import Config

Configure = Callable[..., Config]
Trained = Callable[..., tuple[Pack, dict[str, State]]]
READINGS = (
    ["critic.judge=minimum"], ["critic.judge=mean"], ["critic.judge=lower", "critic.kappa=0.5"],
)  # fmt: skip


def test_readings_of_an_ensemble(configure: Configure) -> None:
    """Of one pair all are its own Q to the bit; of two, mean less one spread is the minimum."""
    minimum, mean, half = (configure(*reading).critic for reading in READINGS)
    rng = np.random.default_rng(0)
    one, two, three = (torch.from_numpy(rng.normal(size=(k, 5, 7))) for k in (1, 2, 3))
    for critic in (minimum, mean, half):
        assert torch.equal(judged(one, critic), one[0])
    torch.testing.assert_close(judged(two, replace(half, kappa=1.0)), judged(two, minimum))
    assert torch.equal(judged(three, minimum), three.min(0).values)
    np.testing.assert_allclose(judged(three, mean), np.mean(three.numpy(), 0))
    lower = np.mean(three.numpy(), 0) - 0.5 * np.std(three.numpy(), 0)
    np.testing.assert_allclose(judged(three, half), lower)


@pytest.mark.parametrize("target", ["softmax", "expectile", "value"])
def test_pairs_are_apart(configure: Configure, trained: Trained, target: str) -> None:
    """The first pair ends where it ends alone; what one pair hopes for misleads no other."""
    changes = (f"critic.target={target}", "critic.returns_updates=5")
    alone, _ = trained("critic", [(3, configure(*changes))], 15)
    config = configure(*changes, "critic.pairs=3")
    pack, _ = trained("critic", [(3, config), (4, config)], 15)
    assert isinstance(alone, CriticPack) and isinstance(pack, CriticPack)
    for name in ("online", "target"):
        rows = pack._stacks[name].stack.flat[:6]
        torch.testing.assert_close(rows[:2], alone._stacks[name].stack.flat, rtol=1e-4, atol=1e-5)
        assert len(rows.unique(dim=0)) == 6
    torch.testing.assert_close(pack.online.grad[:2], alone.online.grad, rtol=1e-3, atol=1e-4)
    if isinstance(pack, ValueCriticPack):
        pack.value.flat[1] = math.nan  # of the first member's second pair
    else:
        pack.target.flat[2:4] = math.nan
    pack.update()
    broken = pack.online.flat.isnan().any(1)
    assert broken.tolist() == [row in (2, 3) for row in range(12)]


def test_all_who_ask_read_one_q(configure: Configure, trained: Trained, data: Tensors) -> None:
    """Members of one pack read the same pairs in three ways; reports read as the weights do."""
    configs = [configure("critic.pairs=3", "policy.beta=4", *how) for how in READINGS]
    pack, upstream = trained("policy", [(0, config) for config in configs], 1)
    assert isinstance(pack, PolicyPack)
    states = data.states[:40].unsqueeze(0)
    actions = data.actions[:80].view(1, 40, 2, 2)
    q = pack.q(pack.critic.slice(0, 6), states, actions)[0].numpy()
    pairs = np.minimum(q[0::2], q[1::2])
    expected = [pairs.min(0), pairs.mean(0), pairs.mean(0) - 0.5 * pairs.std(0)]
    for i, (config, values) in enumerate(zip(configs, expected, strict=True)):
        weighed = pack._values(i, torch.arange(40), actions[0])
        np.testing.assert_allclose(weighed, values, rtol=1e-4, atol=1e-5)
        judge = Judge(config, upstream["critic"])
        np.testing.assert_allclose(judge.value(states[0], actions[0]), weighed, atol=1e-5)
        report = critic_report(config, data, upstream["behaviour"], upstream["critic"], 3)
        own = judge.value(data.states, data.actions.unsqueeze(1)).double().mean().item()
        assert report.q_mean == pytest.approx(own, rel=1e-6)
        assert report.agreement is not None and report.agreement.pairs == 3
        assert 0 <= report.plain()["agreement"]["share"] <= 1
    sets = [support for support in pack.support if support is not None]
    drawn = [sets[0].actions[:, :-1], sets[1].actions[:, :-1]]
    assert torch.equal(*drawn) and not torch.equal(sets[0].weights, sets[1].weights)


def test_agreement_is_counted_over_pairs() -> None:
    rng = np.random.default_rng(1)
    proposed, taken = rng.normal(size=(3, 6, 4)), rng.normal(size=(3, 6))
    judged_q = proposed.mean(0)
    result = agreement(*(torch.from_numpy(x) for x in (proposed, taken, judged_q)))
    gained = np.array(
        [[proposed[k, b, judged_q[b].argmax()] - taken[k, b] for b in range(6)] for k in range(3)]
    )
    beside = proposed - proposed.mean(2, keepdims=True)
    assert result.pairs == 3
    assert result.spread == pytest.approx(np.sqrt(np.var(beside, 0, ddof=1).mean()))
    assert result.advantage == pytest.approx(gained.mean())
    assert result.deviation == pytest.approx(np.sqrt(np.var(gained, 0, ddof=1).mean()))
    assert result.share == pytest.approx((gained > 0).mean())
