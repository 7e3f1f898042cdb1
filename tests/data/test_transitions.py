from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qipo_ray.data.load import read
from qipo_ray.data.tasks import get_task
from qipo_ray.data.transitions import (
    Dataset,
    adjusted_rewards,
    behaviour_score,
    estimated_returns,
    qlearning_dataset,
    returns_to_go,
    transitions,
)
from qipo_ray.errors import UserError


def make(task_id: str, rows: int, terminals=(), timeouts=(), rewards=None, following=False):
    state, action = get_task(task_id).sizes
    rng = np.random.default_rng(rows)
    flags = np.zeros((2, rows), dtype=bool)
    flags[0, list(terminals)] = flags[1, list(timeouts)] = True
    if rewards is None:
        rewards = rng.normal(size=rows)
    return Dataset(
        task_id=task_id,
        path=Path("data.hdf5"),
        source="other",
        sha256="0" * 64,
        rows=rows,
        observations=rng.normal(size=(rows, state)).astype(np.float32),
        actions=rng.normal(size=(rows, action)).astype(np.float32),
        rewards=np.asarray(rewards, dtype=np.float32),
        terminals=flags[0],
        timeouts=flags[1],
        next_observations=rng.normal(size=(rows, state)).astype(np.float32) if following else None,
    )


def d4rl_loop(content: dict, horizon: int) -> dict[str, np.ndarray]:
    """D4RL's qlearning_dataset, told again row by row (terminate_on_end=False)."""
    picked: dict[str, list] = {
        key: [] for key in ("observations", "actions", "next_observations", "rewards", "terminals")
    }
    step = 0
    for row in range(len(content["rewards"]) - 1):
        counted = step == horizon - 1
        last_step = content["timeouts"][row] if "timeouts" in content else counted
        if last_step:
            step = 0
            continue
        if content["terminals"][row]:
            step = 0
        for key in ("observations", "actions", "rewards", "terminals"):
            picked[key].append(content[key][row])
        own = content.get("next_observations")
        picked["next_observations"].append(
            content["observations"][row + 1] if own is None else own[row]
        )
        step += 1
    return {key: np.array(values) for key, values in picked.items()}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shape", ["plain", "next_observations", "no timeouts"])
def test_qlearning_dataset_equals_d4rls_loop(shape: str, seed: int, columns, write) -> None:
    task = get_task("antmaze-umaze-v2")
    content = columns(task.id, rows=2500, seed=seed)
    rng = np.random.default_rng(seed)
    content["terminals"] = rng.random(2500) < 0.002
    content["timeouts"] = rng.random(2500) < 0.05
    if shape == "next_observations":
        content["next_observations"] = content["observations"] * 2
    if shape == "no timeouts":
        del content["timeouts"]
    built = qlearning_dataset(read(write(content), task))
    expected = d4rl_loop(content, task.horizon)
    assert list(built) == list(expected)
    for key, values in expected.items():
        assert built[key].dtype == (bool if key == "terminals" else np.float32)
        np.testing.assert_array_equal(built[key], values, err_msg=key)


def test_episodes_and_their_returns() -> None:
    data = make("point", 10, terminals=[2, 3], timeouts=[3, 6], rewards=range(10))
    np.testing.assert_array_equal(data.episodes, [[0, 3], [3, 4], [4, 7], [7, 10]])
    np.testing.assert_array_equal(data.episode_returns(), [3, 3, 15, 24])
    whole = make("point", 4, timeouts=[3], rewards=range(4))
    np.testing.assert_array_equal(whole.episodes, [[0, 4]])


def plain_returns(data: Dataset, rewards, discount: float, cut, whole, needed: float):
    """Returns-to-go and their validity, row by row from the back."""
    returns, valid = np.zeros(data.rows), np.zeros(data.rows, dtype=bool)
    running, count, good = 0.0, 0, False
    for row in range(data.rows - 1, -1, -1):
        if row == data.rows - 1 or data.terminals[row] or cut[row]:
            running, count, good = 0.0, 0, bool(whole[row])
        running, count = float(rewards[row]) + discount * running, count + 1
        returns[row], valid[row] = running, good or count >= needed
    return returns, valid


@pytest.mark.parametrize("discount", [0.99, 0.9, 0.0, 1.0])
@pytest.mark.parametrize("task_id", ["hopper-medium-v2", "maze2d-umaze", "point"])
def test_returns_to_go_against_a_plain_loop(task_id: str, discount: float) -> None:
    rng = np.random.default_rng(1)
    data = make(
        task_id,
        3000,
        terminals=rng.choice(3000, 5, replace=False),
        timeouts=rng.choice(3000, 6, replace=False),
    )
    nothing = np.zeros(3000, dtype=bool)
    cut = nothing if task_id == "maze2d-umaze" else data.timeouts
    whole = data.terminals | data.timeouts if task_id == "point" else data.terminals
    needed = {0.99: 299, 0.9: 29, 0.0: 1, 1.0: np.inf}[discount]
    expected, valid = plain_returns(data, data.rewards, discount, cut, whole, needed)
    built, built_valid = returns_to_go(data, get_task(task_id), data.rewards, discount)
    np.testing.assert_allclose(built, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(built_valid, valid)


def test_rows_close_to_a_timeout_have_no_valid_return() -> None:
    data = make("hopper-medium-v2", 1200, timeouts=[999])
    _, valid = returns_to_go(data, get_task("hopper-medium-v2"), data.rewards, 0.99)
    assert valid[:702].all() and not valid[702:].any()  # 999 - 701 + 1 = 299 rewards
    data = make("hopper-medium-v2", 1200, terminals=[999])
    _, valid = returns_to_go(data, get_task("hopper-medium-v2"), data.rewards, 0.99)
    assert valid[:1000].all() and not valid[1000:].any()


def test_where_no_return_is_known_the_mean_reward_goes_on_behind_the_cuts() -> None:
    """Of equal rewards that is the true return; rows of long sums alone are taken."""
    task, cuts = get_task("hopper-medium-v2"), [199, 399, 499]
    data = make(task.id, 500, timeouts=cuts, rewards=np.full(500, 2.0))
    returns, valid = returns_to_go(data, task, data.rewards, 0.99)
    np.testing.assert_allclose(returns, 200.0, rtol=1e-6)  # 2 / (1 - .99)
    expected = np.zeros(500, dtype=bool)
    expected[0:101] = expected[200:301] = expected[400] = True  # 100 rewards or more
    np.testing.assert_array_equal(valid, expected)
    said = estimated_returns(data, task, 0.99)
    assert said is not None and "terminal or 299 rewards, and the longest episode has 200" in said
    discount = float(said.partition("critic.discount=")[2].split()[0])
    assert estimated_returns(data, task, discount) is None
    plain, known = returns_to_go(data, task, data.rewards, discount)
    assert known.any() and (plain < 2 / (1 - discount)).all()
    varied = make(task.id, 500, timeouts=cuts)
    returns, _ = returns_to_go(varied, task, varied.rewards, 0.99)
    tail = 0.99**3 * varied.rewards.mean(dtype=float) / (1 - 0.99)
    summed = varied.rewards[197:200].astype(float) @ 0.99 ** np.arange(3)
    assert returns[197] == pytest.approx(summed + tail, rel=1e-9)
    ended = make(task.id, 500, timeouts=cuts, terminals=[450])
    assert estimated_returns(ended, task, 0.99) is None
    assert returns_to_go(ended, task, ended.rewards, 0.99)[1].sum() == 51


def test_locomotion_rule_scales_the_range_of_complete_trajectories() -> None:
    task = get_task("hopper-medium-v2")
    rewards = [1, 1, 2, 5, 1, 100]  # returns 2, 8 and an open 100
    data = make(task.id, 6, terminals=[1], timeouts=[4], rewards=[1, 1, 2, 5, 1, 100])
    np.testing.assert_allclose(adjusted_rewards(data, task), np.array(rewards) * 1000 / 6)
    built = transitions(data, task, "paper", 0.99)
    np.testing.assert_allclose(built.rewards, np.array([1, 1, 2, 5]) * 1000 / 6, rtol=1e-6)
    assert built.reward_scale == pytest.approx(1000 / 6)
    assert transitions(data, task, "raw", 0.99).reward_scale == 1
    np.testing.assert_allclose(built.returns[:2], [1.99e3 / 6, 1e3 / 6], rtol=1e-6)


def test_locomotion_rule_without_a_range_is_refused() -> None:
    task = get_task("hopper-medium-v2")
    for data in (
        make(task.id, 6),
        make(task.id, 6, timeouts=[5]),
        make(task.id, 6, timeouts=[2]),
        make(task.id, 6, timeouts=[2, 5], rewards=[1] * 6),
    ):
        with pytest.raises(UserError, match="data.reward to raw"):
            transitions(data, task, "paper", 0.99)
        transitions(data, task, "raw", 0.99)


def test_other_rules() -> None:
    ant = make("antmaze-umaze-v2", 5, rewards=[0, 0, 1, 0, 0])
    np.testing.assert_array_equal(
        adjusted_rewards(ant, get_task("antmaze-umaze-v2")), [-1, -1, 0, -1, -1]
    )
    maze = make("maze2d-umaze", 5)
    np.testing.assert_array_equal(
        transitions(maze, get_task("maze2d-umaze"), "paper", 0.99).rewards, maze.rewards[:4]
    )


@pytest.mark.parametrize("following", [True, False])
def test_transitions_are_contiguous_and_of_one_length(following: bool) -> None:
    task = get_task("point")
    data = make("point", 100, timeouts=range(24, 100, 25), following=following)
    built = transitions(data, task, "paper", 0.9)
    rows = qlearning_dataset(data)
    assert len(built.rewards) == 96 and built.returns_valid.all()
    for name, values in vars(built).items():
        if name == "reward_scale":
            assert values == 1
            continue
        assert len(values) == 96 and values.flags.c_contiguous
        expected = {"returns_valid": np.bool_, "episodes": np.int32}.get(name, np.float32)
        assert values.dtype == expected
        if name in rows:
            np.testing.assert_array_equal(values, rows[name])
    np.testing.assert_array_equal(built.episodes, np.repeat(range(4), 24))


def test_nothing_left_is_refused() -> None:
    with pytest.raises(UserError, match="no transition is left"):
        transitions(make("point", 3, timeouts=[0, 1]), get_task("point"), "raw", 0.9)


def test_behaviour_score_of_complete_episodes() -> None:
    task = get_task("hopper-medium-v2")
    data = make(task.id, 7, terminals=[1], timeouts=[4], rewards=[1, 2, 3, 4, 5, 900, 900])
    score = behaviour_score(data, task)
    assert score == {
        "mean": 7.5,
        "normalised": pytest.approx(100 * (7.5 + 20.272305) / (3234.3 + 20.272305)),
        "episodes": 2,
    }
    assert behaviour_score(make(task.id, 7), task) is None


def test_behaviour_score_of_maze2d_takes_windows_of_the_horizon() -> None:
    task = get_task("maze2d-umaze")
    rewards = np.repeat([1.0, 0.0, 5.0], [300, 300, 250])
    data = make(task.id, 850, timeouts=[10, 400], rewards=rewards)
    score = behaviour_score(data, task)
    assert score is not None and (score["mean"], score["episodes"]) == (150.0, 2)
    assert behaviour_score(make(task.id, 299), task) is None


def test_behaviour_score_of_antmaze_stops_at_the_goal() -> None:
    task = get_task("antmaze-umaze-v2")
    rewards = np.zeros(16)
    rewards[[2, 3, 4, 13]] = 1
    data = make(task.id, 16, terminals=[2, 3, 4, 13], timeouts=[5, 9], rewards=rewards)
    assert behaviour_score(data, task) == {
        "mean": pytest.approx(2 / 3),
        "normalised": pytest.approx(200 / 3),
        "episodes": 3,
    }
    still_open = make(task.id, 12, terminals=[2], timeouts=[5, 9], rewards=rewards[:12])
    score = behaviour_score(still_open, task)
    assert score is not None and score["episodes"] == 2


def test_kitchen_has_no_behaviour_score() -> None:
    task = get_task("kitchen-complete-v0")
    assert behaviour_score(make(task.id, 20, timeouts=[9, 19]), task) is None
