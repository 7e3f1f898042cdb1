"""D4RL's antmaze: frame, ant, goals, and where gymnasium-robotics' differs."""

from __future__ import annotations

import numpy as np
import pytest

from qipo_ray.data.tasks import get_task, task_ids
from qipo_ray.evaluation.antmaze import MAZES, AntmazeEnv, centres
from qipo_ray.evaluation.registry import make_env

NAMES = sorted(MAZES)


@pytest.fixture(scope="module")
def umaze() -> AntmazeEnv:
    return AntmazeEnv("antmaze-umaze")


def test_every_task_has_its_maze() -> None:
    tasks = [task for name in task_ids() if (task := get_task(name)).family == "antmaze"]
    used = {task.simulator for task in tasks}
    assert used == set(MAZES)


@pytest.mark.parametrize(
    ("name", "start", "goal", "free"),
    [
        ("antmaze-umaze", (0, 0), (0, 8), 7),
        ("antmaze-medium", (0, 0), (20, 20), 26),
        ("antmaze-large", (0, 0), (32, 24), 46),
        ("antmaze-eval-umaze", (0, 0), (0, 8), 7),
        ("antmaze-eval-medium", (0, 0), (20, 0), 26),
        ("antmaze-eval-large", (0, 0), (32, 0), 47),
    ],
)
def test_d4rls_frame(name, start, goal, free) -> None:
    maze = MAZES[name]
    assert centres(maze, [maze.start, maze.goal]).tolist() == [list(start), list(goal)]
    assert sum(map(len, maze.rows)) - len(centres(maze, maze.walls)) == free
    box = AntmazeEnv(name)._model.geom("torso_geom")
    assert box.size[0] == 0.25  # compiles


@pytest.mark.parametrize(
    ("name", "robotics_map"), [("antmaze-umaze", "U_MAZE"), ("antmaze-medium", "MEDIUM_MAZE")]
)
def test_the_frame_against_gymnasium_robotics(name, robotics_map) -> None:
    """There the maze is centred and y points up: x - x0 and y0 - y are D4RL's."""
    from gymnasium_robotics.envs.maze import maps
    from gymnasium_robotics.envs.maze.maze_v4 import Maze

    grid = getattr(maps, robotics_map)
    robotics_maze = Maze(grid, 4.0, 0.5)
    x0, y0 = robotics_maze.cell_rowcol_to_xy(np.array([1, 1]))
    cells = [(r, c) for r, row in enumerate(grid) for c, tile in enumerate(row) if tile == 1]
    centred = np.array([robotics_maze.cell_rowcol_to_xy(np.array(cell)) for cell in cells])
    d4rl_frame = np.stack([centred[:, 0] - x0, y0 - centred[:, 1]], axis=1)
    walls = centres(MAZES[name], MAZES[name].walls)
    assert sorted(d4rl_frame.tolist()) == sorted(walls.tolist())


def test_walls_stand_where_the_table_says(umaze) -> None:
    model = umaze._model
    boxes = [i for i in range(model.ngeom) if model.geom_type[i] == 6]
    walls = centres(MAZES["antmaze-umaze"], MAZES["antmaze-umaze"].walls)
    assert sorted(model.geom_pos[boxes, :2].tolist()) == sorted(walls.tolist())
    # A wall along x = -2 stops a torso that is thrown at it.
    state = umaze.reset(0)
    state[:3], state[15:18] = (-1.0, 0.0, 0.75), (-10.0, 0.0, 0.0)
    umaze.set_state(state)
    x_positions = [umaze.step(np.zeros(8)).observation[0] for _ in range(10)]
    assert -2.0 < min(x_positions) < -1.2


def test_the_ant_is_d4rls_and_not_gymnasiums(umaze) -> None:
    model = umaze._model
    assert model.opt.timestep * 5 == pytest.approx(0.1)
    np.testing.assert_array_equal(model.actuator_gear[:, 0], 30)
    assert (model.nq, model.nv, model.nu) == (15, 14, 8)


def test_starts_and_goals_of_many_episodes(umaze) -> None:
    states, goals = [], []
    for seed in range(300):
        states.append(umaze.reset(seed))
        goals.append(umaze._goal)
    first, spread = np.array(states), np.array(goals) - [0, 8]
    assert np.abs(first[:, :2]).max() <= 0.1 and 0.08 < first[:, 15:].std() < 0.12
    np.testing.assert_allclose(np.linalg.norm(first[:, 3:7], axis=1), 1)
    assert 0 <= spread.min() < 0.1 and 1.3 < spread.max() <= 1.5
    assert spread.mean() == pytest.approx(0.75, abs=0.05)


def test_the_goal_rewards_and_ends(umaze) -> None:
    state = umaze.reset(3)
    for distance, reward in ((0.45, 1.0), (0.8, 0.0)):
        umaze.reset(3)
        goal = umaze._goal
        state[:2] = goal - [distance, 0]
        state[15:] = 0
        umaze.set_state(state)
        umaze._goal = goal
        step = umaze.step(np.zeros(8))
        assert (step.reward, step.terminated, step.success) == (
            reward,
            bool(reward),
            bool(reward),
        )


def test_a_placed_ant_does_not_know_its_goal(umaze) -> None:
    umaze.set_state(umaze.reset(0))
    step = umaze.step(np.zeros(8))
    assert np.isnan(step.reward) and not step.terminated


def test_a_reset_forgets_everything() -> None:
    used, fresh = (make_env(get_task("antmaze-umaze-v2")) for _ in range(2))
    rng, live = np.random.default_rng(0), np.array([0])
    used.reset([5])
    for _ in range(50):
        used.step(live, rng.uniform(-1, 1, (1, 8)))
    used.reset([9])
    fresh.reset([9])
    for _ in range(50):
        action = rng.uniform(-1, 1, (1, 8))
        np.testing.assert_array_equal(
            used.step(live, action).observations, fresh.step(live, action).observations
        )
