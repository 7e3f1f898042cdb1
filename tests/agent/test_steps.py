"""Targets over several steps against a loop over the rows of the file, as it was recorded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from qipo_ray.agent import Pack, State, Tensors
from qipo_ray.agent.critic import CriticPack
from qipo_ray.agent.steps import Steps
from qipo_ray.agent.value_critic import ValueCriticPack
from qipo_ray.config import Config
from qipo_ray.data.tasks import get_task
from qipo_ray.data.transitions import Dataset, transitions

DISCOUNT, ROWS = 0.9, 120
TERMINALS, TIMEOUTS = (0, 7, 8, 30, 52, 90), (15, 40, 41, 60, 89, 104)  # the file ends in a cut
Configure = Callable[..., Config]
Trained = Callable[..., tuple[Pack, dict[str, State]]]


def recorded() -> Dataset:
    rng = np.random.default_rng(5)
    flags = np.zeros((2, ROWS), dtype=bool)
    flags[0, list(TERMINALS)] = flags[1, list(TIMEOUTS)] = True
    return Dataset(
        task_id="point", path=Path("data.hdf5"), source="other", sha256="0" * 64, rows=ROWS,
        observations=rng.normal(size=(ROWS, 2)).astype(np.float32),
        actions=rng.uniform(-1, 1, size=(ROWS, 2)).astype(np.float32),
        rewards=rng.normal(size=ROWS).astype(np.float32),
        terminals=flags[0], timeouts=flags[1], next_observations=None,
    )  # fmt: skip


@pytest.fixture
def data() -> Tensors:
    """As training reads the file, in place of the folder's data."""
    rows = transitions(recorded(), get_task("point"), "raw", DISCOUNT)
    return Tensors.from_transitions(rows, "standard", torch.device("cpu"))


def walked(count: int) -> list[tuple[float, float, int]]:
    """Rewards, discount behind them (0: nothing follows) and the row of the state then."""
    file, parts = recorded(), []
    for row in range(ROWS - 1):
        if row in TIMEOUTS:
            continue
        total, at = 0.0, row
        for step in range(count):
            total += DISCOUNT**step * float(file.rewards[at])
            at += 1
            carry = 0.0 if at - 1 in TERMINALS else DISCOUNT ** (step + 1)
            if (
                not carry or at in TIMEOUTS or at == ROWS - 1
            ):  # such a row only ends the one before
                break
        parts.append((total, carry, at))
    return parts


@pytest.mark.parametrize("count", [1, 2, 5, 100])
def test_no_sum_leaves_its_episode(data: Tensors, count: int) -> None:
    steps, parts = Steps.of(data, count, DISCOUNT), walked(count)
    assert len(parts) == data.rows
    states = data.normaliser(torch.from_numpy(recorded().observations))
    expected = torch.tensor([(total, carry) for total, carry, _ in parts])
    torch.testing.assert_close(torch.stack([steps.rewards, steps.carry], 1), expected)
    asked = steps.carry > 0
    following = states[torch.tensor([at for *_, at in parts])]
    assert torch.equal(steps.following[asked], following[asked])


def test_of_one_step_they_are_the_datas_own(data: Tensors) -> None:
    """To the last bit, with the target as it was before there were several steps."""
    steps = Steps.of(data, 1, 0.99)
    assert steps.rewards.equal(data.rewards) and steps.following is data.next_states
    value = torch.randn(data.rows, generator=torch.Generator().manual_seed(0))
    before = data.rewards + 0.99 * (1 - data.terminals) * value
    assert torch.equal(steps.rewards + steps.carry * value, before)


def softmax_value(pack: CriticPack, state: Tensor, actions: Tensor) -> Tensor:
    low = pack.q(pack.target.params, state[None, None], actions[None, None])[0, :, 0].amin(0)
    return (torch.softmax(low, 0) * low).sum()


@pytest.mark.slow
@pytest.mark.parametrize("target", ["softmax", "value"])
def test_q_is_asked_at_the_state_after_the_steps(
    configure: Configure, trained: Trained, data: Tensors, target: str
) -> None:
    changes = ("critic.n_step=4", "critic.pool=60", "critic.returns_updates=5")
    config = configure(f"critic.target={target}", f"critic.discount={DISCOUNT}", *changes)
    pack, _ = trained("critic", [(0, config)], 12)
    assert isinstance(pack, CriticPack)
    spots, support = torch.arange(0, 60, 2).unsqueeze(0), pack.support[0]
    rows = spots if support is None else support.pool[spots]
    supports = () if support is None else (support.actions[spots],)
    values, _ = pack._bootstrap(slice(None), rows, *supports)
    states = data.normaliser(torch.from_numpy(recorded().observations))
    parts = walked(4)
    for value, row, spot in zip(values[0, 0], rows[0], spots[0], strict=True):
        total, carry, at = parts[int(row)]
        if isinstance(pack, ValueCriticPack):
            worth = pack.v(pack.value.params, states[at][None, None])[0, 0, 0]
        else:
            assert support is not None and int(support.pool[spot]) == int(row)
            worth = softmax_value(pack, states[at], support.actions[spot])
        torch.testing.assert_close(value, total + carry * worth, rtol=1e-4, atol=1e-5)
