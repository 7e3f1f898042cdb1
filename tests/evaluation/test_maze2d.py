"""D4RL's maze2d: geometry, dynamics, rewards, and the controller that makes its data."""

from __future__ import annotations

import numpy as np
import pytest

from qipo_ray.data.tasks import get_task
from qipo_ray.evaluation.maze2d import Maze2dEnv, PointMass, start_state
from qipo_ray.evaluation.maze_controller import MazeController, next_cells
from qipo_ray.evaluation.mazes import MAZES
from qipo_ray.evaluation.registry import make_env
from qipo_ray.evaluation.rollout import rollout
from qipo_ray.evaluation.score import normalised

UMAZE = MAZES["maze2d-umaze"]
NAMES = sorted(MAZES)


def controller_policy(maze, episodes: int):
    """A policy that plans once per episode from its first observation."""
    controllers = [MazeController(maze, np.random.default_rng(i)) for i in range(episodes)]
    aimed: set[int] = set()

    def policy(observations, live):
        actions = []
        for index, state in zip(live.tolist(), observations.tolist(), strict=True):
            if index not in aimed:
                controllers[index].aim(*state[:2], maze.goal)
                aimed.add(index)
            actions.append(controllers[index].act(*state)[:2])
        return np.array(actions)

    return policy


@pytest.mark.parametrize(
    ("name", "shape", "free", "goal"),
    [
        ("maze2d-umaze", (5, 5), 7, (1, 1)),
        ("maze2d-medium", (8, 8), 26, (6, 6)),
        ("maze2d-large", (9, 12), 46, (7, 9)),
        ("maze2d-open", (5, 7), 15, (2, 3)),
        ("maze2d-eval-umaze", (5, 5), 7, (1, 3)),
        ("maze2d-eval-medium", (8, 8), 26, (1, 6)),
        ("maze2d-eval-large", (9, 12), 47, (1, 9)),
    ],
)
def test_geometry_is_that_of_d4rl(name, shape, free, goal) -> None:
    maze = MAZES[name]
    assert {len(row) for row in maze.rows} == {shape[1]} and len(maze.rows) == shape[0]
    assert (len(maze.free), maze.goal) == (free, goal)
    assert len(maze.walls) + free == shape[0] * shape[1]
    assert set(next_cells(maze, goal)) == set(maze.free)  # every cell leads to the goal


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
    assert {maze.cell_at(*place) for place in visited} <= set(maze.free)


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


def test_the_frame_against_gymnasium_robotics() -> None:
    """There the maze is centred and y points up: row = 1.8 - y, column = x + 1.8 in umaze."""
    from gymnasium_robotics.envs.maze.maps import U_MAZE
    from gymnasium_robotics.envs.maze.maze_v4 import Maze as Other

    other = Other(U_MAZE, 1.0, 0.4)
    maze = MAZES["maze2d-umaze"]
    for row in range(5):
        for column in range(5):
            x, y = other.cell_rowcol_to_xy(np.array([row, column]))
            assert (U_MAZE[row][column] == 1) == ((row, column) in maze.walls) or row == 2
            if (row, column) in maze.free:
                assert maze.cell_at(1.8 - y, x + 1.8) == (row, column)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_controller_reaches_the_goal(name) -> None:
    task = get_task(name)
    got = rollout(task, controller_policy(MAZES[name], 25), range(25))
    assert got.success is not None and got.success.all()
    assert (got.lengths == task.horizon).all()
    assert normalised(task, got.returns.mean()) > 100


def test_controller_stops_at_every_cell_from_every_cell() -> None:
    maze, rng = UMAZE, np.random.default_rng(0)
    controller, mass = MazeController(maze, rng), PointMass(UMAZE)
    for start in maze.free:
        for target in maze.free:
            state = (float(start[0]), float(start[1]), 0.0, 0.0)
            mass.set_state(state)
            controller.aim(*state[:2], target)
            for _ in range(300):
                ax, ay, reached = controller.act(*state)
                if reached:
                    break
                state = mass.push(ax, ay)
            assert reached, (start, target)
            assert np.hypot(state[0] - target[0], state[1] - target[1]) < 0.1


@pytest.mark.slow
def test_random_actions_score_about_zero_and_success_is_a_share() -> None:
    """D4RL's lower reference is a random policy over 100 episodes."""
    task, rng = get_task("maze2d-umaze"), np.random.default_rng(0)
    got = rollout(task, lambda o, live: rng.uniform(-1, 1, (len(live), 2)), range(300))
    assert abs(normalised(task, got.returns.mean())) < 8  # standard error 2.4, of D4RL's own 4
    np.testing.assert_array_equal(got.success, got.returns > 0)
    assert 0.1 < got.success.mean() < 0.5
