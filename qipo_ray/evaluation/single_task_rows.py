"""Small stand-ins for OGBench's data sets, in its layout, from its package's own environments.

Its arm follows the package's plans, as the published data do. A point and an ant go from goal to
goal by its mazes' way out; the package has no walking ant, so ours trots.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qipo_ray.data.ogbench_file import MARK
from qipo_ray.data.tasks import Task, get_task
from qipo_ray.evaluation.ant_gait import torques
from qipo_ray.evaluation.single_tasks import SeededEnv, make

STEPS = 200  # of a trajectory
_NOISE = 0.3  # of an action, in all but the arm's

Arrays = dict[str, NDArray[np.generic]]
Policy = Callable[[Any, dict[str, Any]], NDArray[np.floating]]  # of an observation and its infos
Begun = tuple[Any, dict[str, Any], Policy]  # a trajectory: observation, infos, and what acts in it
Driver = Callable[[SeededEnv, int], Begun]  # begins a trajectory of a seed


def single_task_rows(
    task: Task, count: int, seed: int, report: Callable[[int, int], None]
) -> Arrays:
    """Return trajectories with ``count`` steps in all, each with one state more than steps.

    They are the same for all tasks of a data set.
    """
    simulator = get_task(f"{task.group}-singletask").simulator
    kind = simulator.partition("-")[0]
    collecting = {"mode": "data_collection", "terminate_at_goal": False} if kind == "cube" else {}
    env = make(simulator, max_episode_steps=-1, **collecting)
    columns: defaultdict[str, list[Any]] = defaultdict(list)
    try:
        for start in range(0, count, STEPS):
            steps = min(STEPS, count - start)
            trajectory = np.random.SeedSequence([seed, start]).generate_state(1)
            for row in _trajectory(env, DRIVERS[kind], steps, int(trajectory[0])):
                for name, value in row.items():
                    columns[name].append(np.array(value, np.float32))
            report(start + steps, count)
    finally:
        env.close()
    return {**{name: np.stack(rows) for name, rows in columns.items()}, MARK: np.array(True)}


def _trajectory(env: SeededEnv, begin: Driver, steps: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield what the package's scripts save of every state."""
    state, infos, policy = begin(env, seed)
    for step in range(steps + 1):
        data = env.unwrapped.data
        action = np.clip(policy(state, infos), -1, 1)
        yield {
            "observations": state,
            "actions": action,
            "terminals": step == steps,
            "qpos": data.qpos,
            "qvel": data.qvel,
        }
        state, _, _, _, infos = env.step(action.astype(np.float32))


def _arm(env: SeededEnv, seed: int) -> Begun:
    from ogbench.manipspace.oracles.plan.cube_plan import CubePlanOracle

    state, infos = env.reset(seed=seed)
    plan = CubePlanOracle(env=env)
    env.apart(lambda: plan.reset(state, infos))

    def act(state: Any, infos: dict[str, Any]) -> NDArray[np.floating]:
        if plan.done:
            state, infos = env.unwrapped.set_new_target()
            env.apart(lambda: plan.reset(state, infos))
        action: NDArray[np.floating] = plan.select_action(state, infos)
        return action

    return state, infos, act


def _in_maze(env: SeededEnv, seed: int, rng: np.random.Generator) -> tuple[Any, dict[str, Any]]:
    """Return the first observation and infos of a trajectory from any free cell."""
    _, infos = env.reset(seed=seed)
    env.unwrapped.set_xy(_cell(env, rng) + rng.uniform(-0.5, 0.5, 2))
    return env.unwrapped.get_ob(), infos


def _cell(env: SeededEnv, rng: np.random.Generator) -> NDArray[np.floating]:
    return np.array(env.unwrapped.ij_to_xy(rng.choice(np.argwhere(env.unwrapped.maze_map == 0))))


def _to_goals(env: SeededEnv, rng: np.random.Generator) -> Callable[[], NDArray[np.floating]]:
    """Return what gives the way to go from here, ``(2,)``: a new goal follows one that is met."""
    core = env.unwrapped
    goal = _cell(env, rng)

    def way() -> NDArray[np.floating]:
        nonlocal goal
        if np.linalg.norm(core.get_xy() - goal) < core._goal_tol:
            goal = _cell(env, rng)
        ahead: NDArray[np.floating] = core.get_oracle_subgoal(core.get_xy(), goal)[0]
        return ahead - core.get_xy()

    return way


def _point(env: SeededEnv, seed: int) -> Begun:
    rng = np.random.default_rng(seed)
    state, infos = _in_maze(env, seed, rng)
    way = _to_goals(env, rng)

    def act(state: Any, infos: dict[str, Any]) -> NDArray[np.floating]:
        step = way()
        return step / max(float(np.linalg.norm(step)), 1.0) + _NOISE * rng.standard_normal(2)

    return state, infos, act


def _ant(env: SeededEnv, seed: int) -> Begun:
    rng, data = np.random.default_rng(seed), env.unwrapped.data
    state, infos = _in_maze(env, seed, rng)
    way, start = _to_goals(env, rng), data.time

    def act(state: Any, infos: dict[str, Any]) -> NDArray[np.floating]:
        x, y = way()
        walk = torques(data.qpos, data.qvel, data.time - start, np.arctan2(y, x))
        return walk + _NOISE * rng.standard_normal(len(walk))

    return state, infos, act


DRIVERS: dict[str, Driver] = {"antmaze": _ant, "cube": _arm, "pointmaze": _point}
