"""Data sets in memory, and the transitions that training reads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from qipo_ray.data.tasks import Task
from qipo_ray.errors import UserError

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]
Source = Literal["d4rl", "d4rl, unverified", "ogbench, unverified", "minari", "generated", "other"]

_TAIL_SHARE = 0.05  # a return-to-go is valid if at most this share of its weight is cut off


@dataclass(frozen=True, eq=False)
class Dataset:
    """The rows of one data file, in time order, not yet shaped for any learner.

    ``observations (N, S)``, ``actions (N, A)``, ``rewards (N,)`` and ``next_observations (N, S)``
    (None if the file has none) are float32, ``terminals (N,)`` and ``timeouts (N,)`` bool.
    ``notes`` say what a reader of a result must know about this very file; ``claim`` is the
    source that the file gives itself.
    """

    task_id: str
    path: Path
    source: Source
    sha256: str
    rows: int
    observations: Floats
    actions: Floats
    rewards: Floats
    terminals: Flags
    timeouts: Flags
    next_observations: Floats | None
    notes: tuple[str, ...] = ()
    claim: str | None = None
    own_task: Task | None = None  # a user's; None: that of ``task_id`` in the table
    uri: str | None = None  # in the bucket that it came from; ``path`` is this machine's copy

    @property
    def place(self) -> str:
        """Where other processes and machines look for the file."""
        return self.uri or str(self.path.resolve())

    @property
    def episodes(self) -> npt.NDArray[np.int64]:
        """Row ranges ``[start, stop)`` of the episodes, ``(E, 2)``.

        An episode ends at a terminal or a timeout; a last one still open counts.
        """
        return _pieces(self.terminals | self.timeouts)

    def episode_returns(self) -> npt.NDArray[np.float64]:
        """Undiscounted raw return of each of ``episodes``, ``(E,)``."""
        return _sums(self.rewards, self.episodes)


@dataclass(frozen=True, eq=False)
class Transitions:
    """What training reads: N rows, all float32 and C-contiguous, ``returns_valid`` bool.

    ``observations (N, S)``, ``actions (N, A)``, ``rewards (N,)`` after the reward rule,
    ``next_observations (N, S)``, ``terminals (N,)`` 0 or 1, ``returns (N,)`` the discounted
    returns-to-go of those rewards, ``returns_valid (N,)`` where a return is (nearly) whole,
    ``episodes (N,)`` the rows' episodes in the file, counted from 0, int32; ``reward_scale`` what
    the rule multiplies rewards by.
    """

    observations: Floats
    actions: Floats
    rewards: Floats
    next_observations: Floats
    terminals: Floats
    returns: Floats
    returns_valid: Flags
    episodes: npt.NDArray[np.int32]
    reward_scale: float = 1.0


def qlearning_dataset(dataset: Dataset) -> dict[str, npt.NDArray]:
    """Return D4RL's ``qlearning_dataset``: its keys, its rows, its order.

    The file's last row is lost, rows with a timeout are dropped, ``next_observations`` is the next
    row's observation; after a terminal that is the next episode's first one, where ``1 -
    terminals`` masks it. One difference: ``next_observations`` of the file win over the next
    row's. D4RL also counts steps in files without ``timeouts``; here the reader has done that.

    Returns:
        ``observations``, ``actions``, ``next_observations``, ``rewards`` (float32) and
        ``terminals`` (bool).
    """
    kept = _kept(dataset)
    if dataset.next_observations is None:
        following = dataset.observations[1:][kept[:-1]]
    else:
        # Departure D29: next observations of the file win; D4RL shifts rows.
        following = dataset.next_observations[kept]
    return {
        "observations": dataset.observations[kept],
        "actions": dataset.actions[kept],
        "next_observations": following,
        "rewards": dataset.rewards[kept],
        "terminals": dataset.terminals[kept],
    }


def transitions(
    dataset: Dataset, task: Task, reward: Literal["paper", "raw"], discount: float
) -> Transitions:
    """Return the rows of ``qlearning_dataset`` with adjusted rewards and returns-to-go.

    Args:
        dataset: the data.
        task: its task; says how rewards are adjusted and what a timeout means.
        reward: ``"paper"`` applies the task's reward rule, ``"raw"`` leaves rewards alone.
        discount: per step, in [0, 1].

    Raises:
        UserError: no row is left, or the reward rule cannot be applied.
    """
    # Departure D27: raw rewards by switch, and on families that the paper does not use.
    adjusted = reward == "paper"
    rewards = adjusted_rewards(dataset, task) if adjusted else dataset.rewards
    returns, valid = returns_to_go(dataset, task, rewards, discount)
    kept = _kept(dataset)
    if not kept.any():
        raise UserError(f"data file {dataset.path}: no transition is left after D4RL's rules")
    rows, pieces = qlearning_dataset(dataset), dataset.episodes
    episodes = np.repeat(np.arange(len(pieces), dtype=np.int32), pieces[:, 1] - pieces[:, 0])
    return Transitions(
        observations=_floats(rows["observations"]),
        actions=_floats(rows["actions"]),
        rewards=_floats(rewards[kept]),
        next_observations=_floats(rows["next_observations"]),
        terminals=_floats(rows["terminals"]),
        returns=_floats(returns[kept]),
        returns_valid=valid[kept],
        episodes=episodes[kept],
        reward_scale=reward_scale(dataset, task) if adjusted else 1.0,
    )


def adjusted_rewards(dataset: Dataset, task: Task) -> Floats:
    """Return the rewards after the task's rule, ``(N,)``, as the paper's code base does it.

    ``minus-one`` (antmaze): r - 1. ``raw``: r. ``return-range`` (locomotion): r * 1000 / (highest
    - lowest return of a trajectory), over trajectories split by terminals or timeouts, a last
    open one left out. The paper's code base (CEP) splits by terminals or after 1000 rows, on rows
    without timeouts, so that a trajectory can take in the first row of the next one; the
    published files carry their timeouts, and with them the split is exact. ``ant``, which the
    paper does not use, is treated like the other locomotion tasks.

    Raises:
        UserError: ``return-range`` without two complete trajectories of different return.
    """
    if task.reward_rule == "minus-one":
        return dataset.rewards - np.float32(1)
    scale = reward_scale(dataset, task)
    return dataset.rewards if scale == 1 else dataset.rewards * np.float32(scale)


def reward_scale(dataset: Dataset, task: Task) -> float:
    """Return what the task's rule multiplies rewards by; ``UserError`` as ``adjusted_rewards``."""
    if task.reward_rule != "return-range":
        return 1.0
    returns = _complete_returns(dataset)
    # Departure D26: trajectories end at timeouts; the paper's code counts 1000 rows.
    if len(returns) < 2 or returns.max() == returns.min():
        raise UserError(
            f"data file {dataset.path}: the paper's reward rule of {task.id} divides by the range "
            "of returns and needs two complete trajectories with different returns; "
            "set data.reward to raw"
        )
    return float(1000 / (returns.max() - returns.min()))


def returns_to_go(
    dataset: Dataset, task: Task, rewards: Floats, discount: float
) -> tuple[npt.NDArray[np.float64], Flags]:
    """Return discounted returns-to-go and where they are valid, both ``(N,)``.

    Sums stop at terminals and at cuts: timeouts and the file's last row. What lies behind a cut
    is unknown, so a row is valid only if its sum ends in a terminal or holds at least
    ``ceil(log(.05) / log(discount))`` rewards (299 at .99). Timeouts of maze2d do not cut: they
    mark sub-goals of one continuing trajectory. Those of ``point`` are whole ends. Where that
    leaves no row, those with at least half of the longest sum stand in, and what is behind a cut
    counts as the mean reward for ever: see ``estimated_returns``.
    """
    left, whole = _sums_of(dataset, task)
    # Doubling: after k passes returns[i] sums the first 2**k rewards from row i on.
    returns = rewards.astype(np.float64)
    step = 1
    while step <= left.max() and discount**step > 1e-18:
        returns[:-step] += discount**step * np.where(left[:-step] >= step, returns[step:], 0.0)
        step *= 2
    valid = whole | (left + 1 >= rewards_needed(discount))
    if not valid.any() and discount < 1:
        valid = 2 * (left + 1) >= left.max() + 1
        returns += discount ** (left + 1.0) * rewards.mean(dtype=np.float64) / (1 - discount)
    return returns, valid


def estimated_returns(dataset: Dataset, task: Task, discount: float) -> str | None:
    """Return what must be said of returns-to-go that are estimates; None where some are known."""
    left, whole = _sums_of(dataset, task)
    needed, longest = rewards_needed(discount), int(left.max()) + 1
    if whole.any() or longest >= needed or discount >= 1:
        return None
    return (
        f"no return-to-go is known at discount {discount:g}: that takes a terminal or {needed:,} "
        f"rewards, and the longest episode has {longest:,}; what is behind a cut counts as the "
        f"mean reward (critic.discount={knowing_discount(longest)} needs no such estimate)"
    )


def _sums_of(dataset: Dataset, task: Task) -> tuple[npt.NDArray[np.int64], Flags]:
    """Return how many rewards follow each row's own in its sum, and whether that is whole."""
    ends = dataset.terminals.copy() if task.family == "maze2d" else _ends(dataset)
    complete = _ends(dataset) if task.family == "point" else dataset.terminals
    pieces = _pieces(ends)
    last = np.repeat(pieces[:, 1] - 1, pieces[:, 1] - pieces[:, 0])
    return last - np.arange(dataset.rows), complete[last]


def behaviour_score(dataset: Dataset, task: Task) -> dict[str, float] | None:
    """Return the data's own score: ``mean`` return, ``normalised`` (percent) and ``episodes``.

    Over complete episodes; the last, open one is left out. maze2d is one continuing trajectory:
    consecutive windows of the horizon count. An antmaze trajectory counts up to its first
    terminal, where the simulator would have ended it. None where there is no complete episode,
    for kitchen, whose rows may repeat the reward of a task that is done already, and for OGBench,
    whose data were not made for the task.
    """
    if task.family in ("kitchen", "ogbench"):
        return None
    if task.family == "maze2d":
        windows = dataset.rows // task.horizon
        rewards = dataset.rewards[: windows * task.horizon].astype(np.float64)
        returns = rewards.reshape(windows, task.horizon).sum(axis=1)
    elif task.family == "antmaze":
        returns = _returns_to_first_terminal(dataset)
    else:
        returns = _complete_returns(dataset)
    if not len(returns):
        return None
    mean = float(returns.mean())
    normalised = 100 * (mean - task.ref_min) / (task.ref_max - task.ref_min)
    return {"mean": mean, "normalised": normalised, "episodes": len(returns)}


def _complete_returns(dataset: Dataset) -> npt.NDArray[np.float64]:
    returns = dataset.episode_returns()
    return returns if _ends(dataset)[-1] else returns[:-1]


def _returns_to_first_terminal(dataset: Dataset) -> npt.NDArray[np.float64]:
    pieces = _pieces(dataset.timeouts)
    starts = pieces[:, 0]
    earlier: npt.NDArray[np.int64] = np.cumsum(dataset.terminals) - dataset.terminals
    inside: Flags = earlier == np.repeat(earlier[starts], pieces[:, 1] - starts)
    returns = _sums(dataset.rewards * inside, pieces)
    open_end = not (dataset.timeouts[-1] or dataset.terminals[starts[-1] :].any())
    return returns[:-1] if open_end else returns


def _ends(dataset: Dataset) -> Flags:
    return dataset.terminals | dataset.timeouts


def _kept(dataset: Dataset) -> Flags:
    kept = ~dataset.timeouts
    kept[-1] = False
    return kept


def _pieces(ends: Flags) -> npt.NDArray[np.int64]:
    """Row ranges [start, stop) that end at a True, (E, 2); a last open one counts."""
    stops = np.flatnonzero(ends) + 1
    if not len(stops) or stops[-1] != len(ends):
        stops = np.append(stops, len(ends))
    return np.stack([np.append(0, stops[:-1]), stops], axis=1)


def _sums(rewards: Floats, pieces: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    sums: npt.NDArray[np.float64] = np.add.reduceat(rewards.astype(np.float64), pieces[:, 0])
    return sums


def rewards_needed(discount: float) -> float:
    """Return how many rewards make a return-to-go that is cut off valid; ``inf`` at discount 1."""
    if discount <= 0:
        return 1
    return math.ceil(math.log(_TAIL_SHARE) / math.log(discount)) if discount < 1 else math.inf


def knowing_discount(rows: int) -> float:
    """Return a discount that knows the first half of an episode which is cut after these rows."""
    return math.floor(1000 * _TAIL_SHARE ** (1 / max(1, rows // 2))) / 1000


def _floats(values: npt.NDArray) -> Floats:
    return np.ascontiguousarray(values, dtype=np.float32)
