"""What ``qipo-ray data verify`` says of a data file: every check with its verdict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from qipo_ray.data.tasks import Task
from qipo_ray.data.transitions import Dataset
from qipo_ray.evaluation.replay import ALIKE, Progress, Replay, replay

CheckStatus = Literal["ok", "note", "WRONG"]

_OFF = 0.1  # a file may hold this share of rows or rewards that are not the simulator's
_ALIKE = 0.1  # from this median error on, the simulator is said to be another version


@dataclass(frozen=True)
class DataCheck:
    """One check of a file and its outcome; a note is what a reader should know."""

    name: str
    verdict: CheckStatus
    words: str  # a key of `--json`


def check(dataset: Dataset, task: Task, progress: Progress | None = None) -> list[DataCheck]:
    """Return every check of a file that ``read`` accepted.

    Reading has refused what is no data of this task's sizes and types, or is not finite.

    Raises:
        UserError: if the task's simulator is not available.
    """
    shape = f"{dataset.rows:,} rows, {dataset.observations.shape[1]} observed numbers, "
    shape += f"{dataset.actions.shape[1]} of an action, all finite"
    published = task.sha256 is not None and dataset.sha256 == task.sha256
    return [
        _hash(dataset, task),
        DataCheck("contents", "ok", shape),
        _actions(dataset),
        *_ends(dataset),
        *_following(dataset),
        *_replayed(replay(dataset, task, progress) if task.scored else None, task, published),
    ]


def _hash(dataset: Dataset, task: Task) -> DataCheck:
    if task.sha256 is None:
        return DataCheck(
            "hash", "note", f"no published SHA-256 is known; this is {dataset.sha256}"
        )
    if dataset.sha256 == task.sha256:
        return DataCheck("hash", "ok", "the published file, by its SHA-256")
    claims = dataset.claim == "d4rl" or dataset.path.name == task.filename
    message = f"not the published file: its SHA-256 is {dataset.sha256}"
    return DataCheck("hash", "WRONG" if claims else "note", message)


def _actions(dataset: Dataset) -> DataCheck:
    largest = float(np.abs(dataset.actions).max())
    within = largest <= 1 + 1e-3
    return DataCheck("actions", "ok" if within else "WRONG", f"reach {largest:.4g} of 1")


def _ends(dataset: Dataset) -> Iterator[DataCheck]:
    terminals, timeouts = int(dataset.terminals.sum()), int(dataset.timeouts.sum())
    message = f"{terminals:,} terminals and {timeouts:,} timeouts"
    if not terminals + timeouts:
        yield DataCheck("ends", "WRONG", "no episode ends: neither a terminal nor a timeout")
        return
    yield DataCheck("ends", "ok", message)


def _following(dataset: Dataset) -> Iterator[DataCheck]:
    """Compare ``next_observations``, where there are any, with the rows that follow."""
    if dataset.next_observations is None:
        return
    inside = ~(dataset.terminals | dataset.timeouts)[:-1]
    following, expected = dataset.next_observations[:-1][inside], dataset.observations[1:][inside]
    equal = np.isclose(following, expected, rtol=1e-3, atol=1e-3).all(axis=1)
    share = 1 - float(np.mean(equal)) if inside.any() else 0.0
    verdict: CheckStatus = "WRONG" if share > _OFF else "note" if share else "ok"
    yield DataCheck(
        "next rows", verdict, f"{share:.1%} of next_observations are not the next row's"
    )


def _replayed(result: Replay | None, task: Task, published: bool) -> Iterator[DataCheck]:
    """Judge the replay; the published file is beyond doubt, and then only the simulator is not."""
    if result is None:
        yield DataCheck("replay", "note", "no row could be replayed")
        return
    wrong: CheckStatus = "note" if published else "WRONG"
    foreign = result.error > ALIKE or result.share_off > _OFF
    message = f"{result.rows:,} steps of {task.simulator}: median error {result.error:.2g} of the "
    message += f"movement, {result.share_off:.1%} above {ALIKE}"
    if foreign:
        message += f"; these rows are not of {task.simulator}"
    elif result.error > _ALIKE:
        message += "; much like it, but of another version"
    verdict: CheckStatus = wrong if foreign else "note" if result.error > _ALIKE else "ok"
    yield DataCheck("replay", verdict, message)
    if result.rewards_off is None:
        yield DataCheck(
            "rewards", "note", "not compared: they depend on a goal that is not observed"
        )
        return
    message = f"{result.rewards_off:.1%} are not the simulator's"
    yield DataCheck("rewards", wrong if result.rewards_off > _OFF else "ok", message)
