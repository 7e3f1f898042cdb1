"""The replay check: whether the rows of a data file are what the task's simulator does.

The simulator is set to recorded states and given the recorded actions. Its distance to the
recorded next state is measured in units of how far the state moved: 0 is the same simulator, 1 is
as wrong as saying that nothing moves. A file of another task, or of none, is about 1 or above.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qipo_ray.data.tasks import Task
from qipo_ray.data.transitions import Dataset
from qipo_ray.evaluation.env import VectorEnv
from qipo_ray.evaluation.registry import make_env

ROWS = 1000  # compared, at most
STEPS = 10  # compared from the start of an episode, where the simulator can be set to starts alone
ALIKE = 0.5  # a row further off than this share of the typical movement is not the simulator's
_REWARD_OFF = 0.1  # in standard deviations of the file's rewards

# What else Ant observes are contact forces, which differ between versions of MuJoCo; in the
# kitchen, things, which hardly move at first and are seen with noise.
_COMPARED = {"Ant-v4": range(27), "kitchen": (*range(9), *range(30, 60))}
_LIVE = np.array([0])

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Replay:
    """What the check found."""

    rows: int  # compared
    error: float  # median, as a share of how far the state moved
    share_off: float  # rows with an error above ``ALIKE``
    rewards_off: float | None  # share of other rewards; None where a reward cannot be known


@dataclass(frozen=True)
class _Compared:
    """One step: where it began, where it should and did lead, and the rewards."""

    before: NDArray[np.float32]
    recorded: NDArray[np.float32]
    simulated: NDArray[np.float32]
    recorded_reward: float
    simulated_reward: float


def replay(dataset: Dataset, task: Task, progress: Progress | None = None) -> Replay | None:
    """Return how the file's rows compare with the simulator's, None if no row can be compared.

    Raises:
        UserError: if the task's simulator is not available.
    """
    envs = make_env(task)
    report = progress or (lambda _done, _all: None)
    try:
        walk = _from_rows if envs.restorable_from == "any_row" else _from_starts
        steps = list(walk(dataset, task, envs, report))
    finally:
        envs.close()
    return _summary(dataset, task, steps) if steps else None


def _from_rows(
    dataset: Dataset, task: Task, envs: VectorEnv, report: Progress
) -> Iterator[_Compared]:
    """Yield single steps from rows spread over the whole file."""
    envs.reset([0])
    for done, row in enumerate(_spread(np.flatnonzero(_followed(dataset)), ROWS)):
        report(done, ROWS)
        if envs.set_state(dataset.observations[row]):
            yield _step(dataset, task, envs, row, row)


def _from_starts(
    dataset: Dataset, task: Task, envs: VectorEnv, report: Progress
) -> Iterator[_Compared]:
    """Yield the first steps of episodes spread over the whole file."""
    envs.reset([0])
    starts = _spread(dataset.episodes[:, 0], ROWS // STEPS)
    followed = _followed(dataset)
    for done, start in enumerate(starts):
        report(done, len(starts))
        envs.set_state(dataset.observations[start])
        for row in range(start, min(start + STEPS, dataset.rows)):
            if not followed[row]:
                break
            yield _step(dataset, task, envs, start, row)


def _step(dataset: Dataset, task: Task, envs: VectorEnv, start: int, row: int) -> _Compared:
    step = envs.step(_LIVE, np.clip(dataset.actions[row : row + 1], -1, 1))
    following = dataset.next_observations
    # A reward of maze2d belongs to the state before the step.
    lag = 1 if task.family == "maze2d" else 0
    return _Compared(
        before=dataset.observations[start],
        recorded=dataset.observations[row + 1] if following is None else following[row],
        simulated=step.observations[0],
        recorded_reward=float(dataset.rewards[min(row + lag, dataset.rows - 1)]),
        simulated_reward=float(step.rewards[0]),
    )


def _summary(dataset: Dataset, task: Task, steps: list[_Compared]) -> Replay:
    every = range(dataset.observations.shape[1])
    key = "kitchen" if task.family == "kitchen" else task.simulator
    numbers = list(_COMPARED.get(key, every))
    before, recorded, simulated = (
        np.array([getattr(step, name)[numbers] for step in steps], dtype=np.float64)
        for name in ("before", "recorded", "simulated")
    )
    # Each number counts by how much it moves; one that hardly does, by its range in the file; one
    # that never does, such as a goal, must be equal.
    moved = np.abs(recorded - before)
    unit = moved.mean(axis=0) + 0.05 * dataset.observations[:, numbers].std(axis=0)
    unit[unit < 1e-9] = 1e-2
    typical = float(np.median((moved / unit).sum(axis=1)))
    with np.errstate(over="ignore", invalid="ignore"):
        errors = (np.abs(simulated - recorded) / unit).sum(axis=1) / max(typical, 1e-9)
    errors[~np.isfinite(errors)] = np.inf  # the simulator left what it can compute
    return Replay(
        rows=len(steps),
        error=float(np.median(errors)),
        share_off=float((errors > ALIKE).mean()),
        rewards_off=_rewards_off(dataset, steps),
    )


def _rewards_off(dataset: Dataset, steps: list[_Compared]) -> float | None:
    simulated = np.array([step.simulated_reward for step in steps])
    if np.isnan(simulated).any():
        return None
    recorded = np.array([step.recorded_reward for step in steps])
    off = np.abs(simulated - recorded) > _REWARD_OFF * max(float(dataset.rewards.std()), 1e-3)
    return float(off.mean())


def _followed(dataset: Dataset) -> NDArray[np.bool_]:
    """Return the rows ``(N,)`` whose next state is in the file."""
    if dataset.next_observations is not None:
        return np.ones(dataset.rows, bool)
    followed = ~(dataset.terminals | dataset.timeouts)
    followed[-1] = False
    return followed


def _spread(rows: NDArray[np.int64], count: int) -> list[int]:
    """Return at most ``count`` of the rows, evenly spread."""
    if len(rows) <= count:
        return rows.tolist()
    return rows[np.linspace(0, len(rows) - 1, count).astype(np.int64)].tolist()
