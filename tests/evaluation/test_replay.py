"""The replay check: what a simulator recorded is its own, what another did is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from qipo_ray.data.tasks import get_task
from qipo_ray.evaluation import replay as module
from qipo_ray.evaluation.replay import replay

# One task of every family and layout, and another task that looks the same; quick ones first.
PAIRS = {
    "hopper-medium-v2": None,
    "point": None,
    "maze2d-umaze-v1": "maze2d-umaze-dense-v1",
    "halfcheetah-medium-v2": "walker2d-medium-v2",
    "walker2d-medium-v2": "halfcheetah-medium-v2",
    "ant-medium-v2": None,
    "antmaze-umaze-v2": None,
    "maze2d-large-dense-v1": "maze2d-large-v1",
    "pen-human-v1": None,
    "door-human-v1": "relocate-human-v1",
    "hammer-human-v1": None,
    "relocate-human-v1": "door-human-v1",
    "kitchen-mixed-v0": "kitchen-complete-v0",
}
NOISY = {"kitchen-mixed-v0": 0.3, "point": 0.15}  # their states are drawn or seen with noise


@pytest.fixture(scope="module", params=PAIRS)
def data(request, recorded):
    return recorded(request.param)


def is_own(result) -> bool:
    return result.error < 0.5 and result.share_off < 0.1 and not (result.rewards_off or 0) > 0.1


@pytest.mark.slow
def test_its_own_rows_are_known(data) -> None:
    result = replay(data, get_task(data.task_id))
    assert result.rows > 20
    assert result.error < NOISY.get(data.task_id, 1e-2) and result.share_off <= 0.05
    if data.task_id.startswith("antmaze"):
        assert result.rewards_off is None
    else:
        assert result.rewards_off <= 0.05


@pytest.mark.slow
def test_rows_out_of_order_are_foreign(data) -> None:
    mixed = np.random.default_rng(0).permutation(data.rows)
    assert not is_own(
        replay(replace(data, observations=data.observations[mixed]), get_task(data.task_id))
    )


@pytest.mark.slow_after(3)
def test_a_part_that_was_made_up_is_foreign(data) -> None:
    """Every fifth row: noise with the mean and spread of the real ones."""
    rng = np.random.default_rng(0)
    made_up = data.observations.copy()
    real = made_up[::5]
    made_up[::5] = rng.normal(real.mean(axis=0), real.std(axis=0) + 0.1, real.shape)
    assert not is_own(replay(replace(data, observations=made_up), get_task(data.task_id)))


@pytest.mark.slow
@pytest.mark.parametrize(("mine", "foreign"), [pair for pair in PAIRS.items() if pair[1]])
def test_another_task_of_the_same_layout_is_foreign(mine: str, foreign: str, recorded) -> None:
    data = recorded(mine)
    if (
        get_task(mine).sizes != get_task(foreign).sizes
    ):  # door and relocate differ in their actions
        data = replace(data, actions=np.zeros((data.rows, get_task(foreign).sizes[1]), np.float32))
    assert not is_own(replay(data, get_task(foreign)))


def test_next_observations_are_what_is_compared(recorded) -> None:
    data = recorded("hopper-medium-v2")
    following = np.append(data.observations[1:], data.observations[:1], axis=0)
    with_next = replace(data, next_observations=following + 1)
    assert replay(with_next, get_task("hopper-medium-v2")).share_off == 1


def test_rows_that_hide_a_speed_are_left_out(recorded) -> None:
    data = recorded("hopper-medium-v2")
    fast = data.observations.copy()
    fast[:, 5:] = 10
    assert replay(replace(data, observations=fast), get_task("hopper-medium-v2")) is None


def test_large_files_cost_no_more(monkeypatch, recorded) -> None:
    monkeypatch.setattr(module, "ROWS", 50)
    data = recorded("halfcheetah-medium-v2", episodes=3, steps=100)
    calls: list[int] = []
    result = replay(data, get_task("halfcheetah-medium-v2"), lambda done, _all: calls.append(done))
    assert result.rows == len(calls) == 50
