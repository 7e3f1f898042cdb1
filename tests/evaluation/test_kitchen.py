"""The kitchen in D4RL's layout: goals, noise, rewards for what is newly done, ends."""

from __future__ import annotations

import numpy as np
import pytest

from qipo_ray.evaluation.kitchen import ELEMENTS, KitchenEnv

MIXED = "kitchen-mixed"
# D4RL's goals of the four things, by their positions in the observation.
GOALS = {
    (22,): (-0.75,),  # microwave
    (23, 24, 25, 26, 27, 28, 29): (-0.23, 0.75, 1.62, 0.99, 0.0, 0.0, -0.06),  # kettle
    (11, 12): (-0.88, -0.01),  # bottom burner
    (17, 18): (-0.69, -0.05),  # light switch
}


@pytest.fixture(scope="module")
def env():
    env = KitchenEnv(MIXED)
    yield env
    env.close()


@pytest.mark.slow
def test_an_observation_ends_with_the_goal(env) -> None:
    first = env.reset(0)
    expected = np.zeros(30)
    for indices, goal in GOALS.items():
        expected[list(indices)] = goal
    assert first.shape == (60,)
    np.testing.assert_array_equal(first[30:], expected)
    np.testing.assert_array_equal(env.step(np.zeros(9)).observation[30:], expected)


@pytest.mark.slow
def test_starts_differ_by_d4rls_noise_alone(env) -> None:
    starts = np.array([env.reset(seed)[:30] for seed in range(200)])
    spread = np.abs(starts - starts.mean(axis=0)).max(axis=0)
    amplitudes = np.full(30, 0.005)  # of the robot's specification; a tenth of it is the noise
    amplitudes[[*range(9), 20, 21, 22, 26, 27, 28]] = 0.1
    amplitudes[11:17] = 0.0005
    np.testing.assert_allclose(spread, 0.1 * amplitudes, rtol=0.1)


@pytest.mark.slow
def test_what_is_done_counts_once_and_all_four_end(env) -> None:
    first = env.reset(1)
    row = first.copy()
    done = []
    for indices, goal in GOALS.items():
        row[list(indices)] = goal
        done.append(row.copy())
    for count, state in enumerate(done, 1):
        env.set_state(state)
        step = env.step(np.zeros(9))
        assert (step.reward, step.terminated) == (count, count == 4)
        if count < 4:
            assert env.step(np.zeros(9)).reward == 0
    assert step.success
    env.reset(1)
    assert not env.step(np.zeros(9)).terminated  # a reset takes it all back


@pytest.mark.slow
def test_a_start_is_taken_back(env) -> None:
    rng = np.random.default_rng(0)
    actions = rng.uniform(-1, 1, (10, 9))
    start = np.float32(env.reset(5))
    expected = [env.step(action).observation for action in actions]
    env.reset(6)
    assert env.set_state(start)
    got = [env.step(action).observation for action in actions]
    assert np.abs(np.array(got) - expected).max() < 0.06  # noise and control that starts from it


def test_the_tasks() -> None:
    assert ELEMENTS["kitchen-complete"] == ELEMENTS["kitchen-partial"]
    assert set(ELEMENTS[MIXED]) - set(ELEMENTS["kitchen-partial"]) == {"bottom burner"}
