"""The controller that makes maze2d's data."""

from __future__ import annotations

import numpy as np
import pytest

from qipo_ray.data.tasks import get_task
from qipo_ray.evaluation.maze2d import PointMass
from qipo_ray.evaluation.maze_controller import MazeController
from qipo_ray.evaluation.mazes import MAZES
from qipo_ray.evaluation.rollout import rollout
from qipo_ray.evaluation.score import normalised

UMAZE = MAZES["maze2d-umaze"]


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


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(MAZES))
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
