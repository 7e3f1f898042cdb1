"""Whether a user's own task fits its data and its environment, and the references to give it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from qipo_ray.data.tasks import NO_ENVIRONMENT, Task
from qipo_ray.data.transitions import Dataset
from qipo_ray.errors import Failure, UserError
from qipo_ray.evaluation.data_checks import CheckStatus, DataCheck
from qipo_ray.evaluation.own_env import OwnEnv
from qipo_ray.evaluation.registry import make_env
from qipo_ray.evaluation.rollout import Rollouts, rollout
from qipo_ray.evaluation.score import FIRST_SEED, env_seeds

_SLACK = 1e-3  # that recorded actions may lie outside of their bounds, in half their range


def refuse_misfit(dataset: Dataset, task: Task) -> None:
    """Raise ``UserError`` for a task whose environment cannot be made, or does not fit its data.

    A built-in task was fitted to its own when the data were read.
    """
    if task.own is None:
        make_env(task).close()
        return
    for result in _fits(dataset, task):
        if result.verdict == "WRONG":
            raise UserError(f"{task.own.file}: {result.words}")


def own_checks(dataset: Dataset | None, task: Task) -> Iterator[DataCheck]:
    """Yield what fits and what does not; ``dataset`` is None where there are no data yet."""
    if dataset is not None:
        yield from _data_fits(dataset, task)
    if not task.scored:
        yield DataCheck("environment", "note", NO_ENVIRONMENT)
        return
    try:
        env = OwnEnv(task)
    except UserError as problem:
        yield DataCheck("environment", "WRONG", str(problem))
        return
    try:
        sizes = f"{env.observation_size} observed numbers, {env.action_size} of an action"
        yield DataCheck("environment", "ok", f"{task.simulator}: {sizes}")
        if dataset is not None:
            yield _sizes(dataset, task, env)
        yield _reset(env)
        yield _episode(env, task)
    except (UserError, Failure) as problem:
        yield DataCheck("environment", "WRONG", str(problem))
    finally:
        env.close()


def _fits(dataset: Dataset, task: Task) -> Iterator[DataCheck]:
    yield from _data_fits(dataset, task)
    if task.scored:
        env = OwnEnv(task)
        try:
            yield _sizes(dataset, task, env)
        finally:
            env.close()


def _data_fits(dataset: Dataset, task: Task) -> Iterator[DataCheck]:
    largest = float(np.abs(dataset.actions).max())
    reach = f"recorded actions reach {largest:.4g} of the bounds of the key actions"
    yield _judged("bounds", largest <= 1 + _SLACK, reach)
    episodes = dataset.episodes
    longest = int((episodes[:, 1] - episodes[:, 0]).max())
    message = f"horizon: {task.horizon:,}; the longest episode of {dataset.path} has {longest:,} "
    yield _judged("horizon", longest <= task.horizon, f"{message}rows")


def _sizes(dataset: Dataset, task: Task, env: OwnEnv) -> DataCheck:
    recorded = dataset.observations.shape[1], dataset.actions.shape[1]
    message = (
        f"environment: {task.simulator} has {env.observation_size} observed numbers and "
        f"{env.action_size} of an action, {dataset.path} has {recorded[0]} and {recorded[1]}"
    )
    return _judged("sizes", recorded == (env.observation_size, env.action_size), message)


def _reset(env: OwnEnv) -> DataCheck:
    first, again, other = (env.reset(seed) for seed in (0, 0, 1))
    if not np.array_equal(first, again):
        return DataCheck("reset", "WRONG", "the same seed gives another start: no score of "
                         "it can be repeated")  # fmt: skip
    more = ", with another seed, too" if np.array_equal(first, other) else ""
    return DataCheck("reset", "note" if more else "ok", f"the same with the same seed{more}")


def _episode(env: OwnEnv, task: Task) -> DataCheck:
    """Roll out one random episode."""
    draws = np.random.default_rng(0)
    env.reset(0)
    total, steps, success = 0.0, 0, False
    while steps < task.horizon:
        step = env.step(draws.uniform(-1, 1, env.action_size))
        total, steps, success = total + step.reward, steps + 1, success or step.success
        if step.terminated:
            break
    message = f"a random one has {steps:,} steps and return {total:.4g}"
    if not np.isfinite(total):
        return DataCheck("episode", "WRONG", f"{message}, which is not finite")
    if task.own is None or task.own.success is None:
        return DataCheck("episode", "ok", message)
    if not env.success_seen:
        return DataCheck("episode", "WRONG", f"success: info has no {task.own.success!r}")
    return DataCheck("episode", "ok", f"{message}, {'with' if success else 'without'} success")


def _judged(name: str, fits: bool, message: str) -> DataCheck:
    verdict: CheckStatus = "ok" if fits else "WRONG"
    return DataCheck(name, verdict, message)


def random_rollouts(task: Task, episodes: int) -> Rollouts:
    """Return episodes of uniform actions, which depend on ``episodes`` alone."""
    draws = np.random.default_rng(0)
    env = OwnEnv(task)
    env.close()

    def act(observations: NDArray[np.float32], live: NDArray[np.intp]) -> NDArray[np.float64]:
        return draws.uniform(-1, 1, (episodes, env.action_size))[live]  # whoever has ended

    return rollout(task, act, env_seeds(episodes, FIRST_SEED))
