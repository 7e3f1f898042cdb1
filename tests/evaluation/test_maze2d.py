"""D4RL's maze2d: dynamics, starts and rewards."""

from __future__ import annotations

import numpy as np
import pytest

from qipo_ray.data.tasks import get_task
from qipo_ray.evaluation.maze2d import Maze2dEnv, PointMass, start_state
from qipo_ray.evaluation.mazes import MAZES
from qipo_ray.evaluation.registry import make_env
from qipo_ray.evaluation.rollout import rollout
from qipo_ray.evaluation.score import normalised

UMAZE = MAZES["maze2d-umaze"]
NAMES = sorted(MAZES)


def test_acceleration_damping_and_top_speed() -> None:
    mass = PointMass(UMAZE)
    mass.set_state((1.0, 1.0, 0.0, 0.0))
    weight = 1000 * 4 / 3 * np.pi * 0.1**3
    vy = 0.0
    for _ in range(5):
        vy = (weight * vy + 0.01 * 100 * 0.5) / (weight + 0.01)  # implicit damping of 1
        assert mass.push(0.0, 0.5)[3] == pytest.approx(vy, rel=1e-6)
    mass.set_state((1.0, 1.0, 0.0, 40.0))
    x, y, vx, vy = mass.push(0.0, 0.0)
    assert y - 1 == pytest.approx(0.05, abs=1e-3)  # 5 cells per second, not 40
    assert (x, vx) == (1.0, 0.0)


def test_the_simulator_clips_the_push() -> None:
    mass = PointMass(UMAZE)
    states = []
    for push in (1.0, 9.0):
        mass.set_state((1.0, 1.5, 0.0, 0.0))
        states.append(mass.push(0.0, push))
    assert states[0] == states[1]


def test_a_placed_mass_remembers_nothing() -> None:
    used, fresh = PointMass(UMAZE), PointMass(UMAZE)
    used.set_state((1.0, 1.0, 0.0, 0.0))
    for _ in range(100):
        used.push(-1.0, -1.0)  # into the corner: the contact solver keeps its last solution
    for mass in (used, fresh):
        mass.set_state((0.39, 0.39, -3.0, -1.0))
    for push in ((-1.0, 0.3), (-1.0, 0.0), (0.5, -1.0)) * 10:
        assert used.push(*push) == fresh.push(*push)


@pytest.mark.slow_after(2)
@pytest.mark.parametrize("name", NAMES)
def test_walls_hold(name) -> None:
    maze, rng = MAZES[name], np.random.default_rng(0)
    centres = np.array(maze.walls, float) + 1  # in the simulator's frame; the mass is at +1.2
    visited = []
    for _ in range(10):
        mass = PointMass(maze)
        mass.set_state(start_state(maze, rng))
        for _ in range(15):
            ax, ay = rng.choice([-1.0, 0.0, 1.0], 2).tolist()
            visited += [mass.push(ax, ay)[:2] for _ in range(40)]
    beyond = np.abs(np.array(visited)[:, None] + 1.2 - centres).max(axis=2) - 0.5
    assert beyond.min() > 0  # the middle of the mass never enters a wall
    assert beyond.min() < 0.1  # and it did press against one: its radius is 0.1
    assert {maze.cell_at(*position) for position in visited} <= set(maze.free)


@pytest.mark.parametrize("name", NAMES)
def test_starts_are_near_every_free_cell(name) -> None:
    maze = MAZES[name]
    states = np.array([start_state(maze, np.random.default_rng(seed)) for seed in range(400)])
    cells = np.round(states[:, :2])
    assert {(int(r), int(c)) for r, c in cells} == set(maze.free)  # the goal cell too
    assert np.abs(states[:, :2] - cells).max() <= 0.1
    assert 0.08 < states[:, 2:].std() < 0.12


def test_a_reset_starts_each_episode_from_its_own_seed() -> None:
    envs = make_env(get_task("maze2d-umaze"))
    first = envs.reset([5, 6])
    expected = [start_state(UMAZE, np.random.default_rng(seed)) for seed in (5, 6)]
    np.testing.assert_array_equal(first, np.float32(expected))
    envs.step(np.array([0, 1]), np.ones((2, 2)))
    np.testing.assert_array_equal(envs.reset([6]), first[1:])


def test_reward_belongs_to_the_state_reached() -> None:
    env = Maze2dEnv("maze2d-umaze")
    # One step outside of the radius of 0.5, moving in; then the other way round.
    for state, reward in (((1.0, 1.52, 0.0, -3.0), 1.0), ((1.0, 1.48, 0.0, 3.0), 0.0)):
        env.set_state(np.array(state))
        step = env.step(np.zeros(2))
        assert (step.observation[1] < 1.5, step.reward) == (bool(reward), reward)
        assert (step.success, step.terminated) == (bool(reward), False)


def test_a_dense_reward_falls_with_the_distance() -> None:
    env = Maze2dEnv("maze2d-umaze-dense")
    env.set_state(np.array([1.0, 3.0, 0.0, 0.0]))
    step = env.step(np.zeros(2))
    assert step.reward == pytest.approx(np.exp(-np.hypot(*(step.observation[:2] - 1))))
    assert not step.success


@pytest.mark.slow
def test_random_actions_score_about_zero_and_success_is_a_share() -> None:
    """D4RL's lower reference is a random policy over 100 episodes."""
    task, rng = get_task("maze2d-umaze"), np.random.default_rng(0)
    got = rollout(task, lambda o, live: rng.uniform(-1, 1, (len(live), 2)), range(300))
    assert abs(normalised(task, got.returns.mean())) < 8  # standard error 2.4, of D4RL's own 4
    np.testing.assert_array_equal(got.success, got.returns > 0)
    assert 0.1 < got.success.mean() < 0.5
