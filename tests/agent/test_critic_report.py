"""The critic report: its numbers against plain ones, its warnings, and what real data say."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from qipo_ray.agent import Member, Pack, State, Tensors, pack_of
from qipo_ray.agent.agreement import Agreement
from qipo_ray.agent.critic_report import CriticReport, _against, _contrasts, critic_report
from qipo_ray.agent.judge import Judge
from qipo_ray.config import Config, load_config
from qipo_ray.data.load import load
from qipo_ray.data.tasks import get_task
from qipo_ray.data.transitions import Transitions, transitions

Trained = Callable[..., tuple[Pack, dict[str, State]]]
SOUND = CriticReport(
    rows=512,
    actions=16,
    action_std=0.3,
    q_std=2.0,
    disagreement=0.5,
    error=5.0,
    correlation=0.9,
    q_mean=10.0,
    return_mean=9.0,
    return_std=4.0,
)
TORN = Agreement(pairs=3, spread=2.5, advantage=1.0, deviation=2.0, share=0.7)


def contrasts(twins: np.ndarray, actions: torch.Tensor) -> dict[str, float]:
    """The contrasts of one pair, ``(2, B, M)``, read by its minimum."""
    return _contrasts(*(torch.from_numpy(x) for x in (twins[None], twins.min(0))), actions)


def test_what_differs_between_actions_is_measured_within_each_row() -> None:
    rng = np.random.default_rng(0)
    twins, actions = rng.normal(size=(2, 7, 5)), rng.normal(size=(7, 5, 3))
    found = contrasts(twins, torch.from_numpy(actions))
    spreads, errors = [], []
    for row in range(7):
        spreads.append(np.std(np.minimum(twins[0, row], twins[1, row]), ddof=1))
        for k in range(5):
            one, other = (q[row, k] - q[row].mean() for q in twins)
            errors.append((one - other) ** 2)
    assert found["q_std"] == pytest.approx(np.mean(spreads), rel=1e-12)
    assert found["disagreement"] == pytest.approx(np.sqrt(np.mean(errors) / 2), rel=1e-12)
    assert found["action_std"] == pytest.approx(np.std(actions, axis=1, ddof=1).mean(), rel=1e-12)
    shifted = contrasts(twins + rng.normal(size=(2, 7, 1)), torch.ones(7, 5, 3))
    assert shifted["disagreement"] == pytest.approx(found["disagreement"], rel=1e-9)


def test_q_is_held_against_returns() -> None:
    rng = np.random.default_rng(1)
    returns = rng.normal(5, 2, size=50)
    values = 0.5 * returns + rng.normal(size=50)
    found = _against(torch.from_numpy(values), torch.from_numpy(returns))
    assert found["correlation"] == pytest.approx(np.corrcoef(values, returns)[0, 1], rel=1e-12)
    assert found["error"] == pytest.approx(np.sqrt(np.mean((values - returns) ** 2)), rel=1e-12)
    assert found["return_std"] == pytest.approx(np.std(returns), rel=1e-12)


@pytest.mark.slow
def test_the_same_states_and_seed_give_the_same_report(
    trained: Trained, data: Tensors, configure: Callable[..., Config]
) -> None:
    config = configure()
    _, upstream = trained("policy", [(0, config)], 0)
    states = upstream["behaviour"], upstream["critic"]
    before = torch.get_rng_state()
    report = critic_report(config, data, *states, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    assert critic_report(config, data, *states, seed=3) == report
    other = critic_report(config, data, *states, seed=4)
    assert other.q_std != report.q_std  # other actions
    assert (report.rows, report.actions) == (400, 16)
    q = Judge(config, upstream["critic"]).value(data.states, data.actions.unsqueeze(1))
    assert report.q_mean == pytest.approx(q.double().mean().item(), rel=1e-6)
    assert report.return_mean == pytest.approx(data.returns.double().mean().item(), rel=1e-6)


@pytest.mark.slow
def test_without_a_known_return_the_rest_is_reported(
    trained: Trained, data: Tensors, configure: Callable[..., Config]
) -> None:
    config = configure()
    _, upstream = trained("policy", [(0, config)], 0)
    blind = replace(data, with_returns=torch.empty(0, dtype=torch.long))
    report = critic_report(config, blind, upstream["behaviour"], upstream["critic"], seed=0)
    plain = report.plain()
    assert [plain[name] for name in ("error", "correlation", "return_mean")] == [None] * 3
    assert report.q_std > 0 and report.rows == 400
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"action_std": 0.05}, "nothing to select by: the actions that the behaviour proposes"),
        ({"disagreement": 2.5}, "little to select by: Q differs by 2 between actions of a state"),
        ({"correlation": 0.3}, "Q hardly follows the returns of the data: correlation 0.30"),
        ({"q_mean": 1.0}, "Q is far below the returns, still near its start: means 1, 9"),
        ({"q_mean": 18.0}, "Q is above nearly all returns, overestimated: means 18, 9"),
        ({"agreement": TORN}, "contested: Q differs by 2 between actions of a state, its 3 pairs"),
    ],
)
def test_each_warning_has_its_own_reason(change: dict[str, Any], words: str) -> None:
    assert list(SOUND.warnings()) == []
    assert list(replace(SOUND, agreement=replace(TORN, spread=1.9)).warnings()) == []
    (warning,) = replace(SOUND, **change).warnings()
    assert warning.startswith(words)


def test_what_is_unknown_warns_of_nothing() -> None:
    nothing = dict.fromkeys(("error", "correlation", "return_mean", "return_std"), float("nan"))
    assert list(replace(SOUND, **nothing).warnings()) == []


def kinds(data: Tensors, *sizes: str) -> list[str]:
    """Return the kinds of warnings after training behaviour and critic on the data."""
    config = load_config("quickstart", sizes)
    states: dict[str, State] = {}
    lengths = {"behaviour": config.behaviour.updates, "critic": config.critic.updates}
    for stage, updates in lengths.items():
        pack = pack_of(stage, config, data)
        pack.admit(Member(config, 0), dict(states), None)
        for _ in range(updates):
            pack.update()
        states[stage] = pack.state(0)
    report = critic_report(config, data, states["behaviour"], states["critic"], 0)
    return [warning.partition(":")[0] for warning in report.warnings()]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("noise", "expected"), [(0.02, ["nothing to select by"]), (0.4, [])], ids=["still", "noisy"]
)
def test_generated_data_are_told_apart(noise: float, expected: list[str]) -> None:
    """Nearly deterministic actions warn; those with strong noise, on which rewards depend, do not.

    Rewards fall by as much for the noise of either, so what differs is the actions alone.
    """
    rng = np.random.default_rng(0)
    states = rng.normal(size=(3000, 2)).astype(np.float32)
    best = np.tanh(states)
    actions = np.clip(best + noise * rng.normal(size=(3000, 2)), -1, 1).astype(np.float32)
    rewards = (states[:, 0] - ((actions - best) ** 2).sum(1) / noise**2 / 2).astype(np.float32)
    rows = Transitions(
        observations=states,
        actions=actions,
        rewards=rewards,
        next_observations=states,
        terminals=np.ones(3000, np.float32),
        returns=rewards,
        returns_valid=np.ones(3000, bool),
        episodes=np.arange(3000, dtype=np.int32),
    )
    sizes = ["behaviour.updates=1000", "critic.updates=1000", "critic.returns_updates=1000"]
    small = ["behaviour.width=64", "critic.width=64", "critic.layers=2"]
    data = Tensors.from_transitions(rows, "standard", torch.device("cpu"))
    assert kinds(data, *sizes, *small) == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "expected"), [("halfcheetah", ["nothing to select by"]), ("hopper", [])]
)
def test_real_data_are_told_apart(name: str, expected: list[str]) -> None:
    """Nearly deterministic data warn; many policies with strong action noise do not."""
    if not os.environ.get("QIPO_TEST_DATA"):
        pytest.skip("QIPO_TEST_DATA names no folder of data")
    task, version = f"{name}-medium-replay", {"halfcheetah": 0, "hopper": 1}[name]
    path = Path(os.environ["QIPO_TEST_DATA"]) / f"{task}-gen-v{version}.hdf5"
    sizes = ["behaviour.updates=2000", "critic.updates=1500", "critic.returns_updates=1500"]
    rows = transitions(load(task, path), get_task(task), "paper", 0.99)
    found = kinds(Tensors.from_transitions(rows, "standard", torch.device("cpu")), *sizes)
    assert [kind for kind in found if kind != "little to select by"] == expected
    assert expected or not found
