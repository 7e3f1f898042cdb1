"""The behaviours that make generated locomotion data: linear policies, bent and shaken.

The policies of a task were found by ``scripts/find_policies.py`` and lie in ``policies/``: those
from no skill to the medium one, and the best. In each episode of a file one of them acts with
weights of its own and with noise of its own strength, so that actions at a state differ and
returns do, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qipo_ray.data.tasks import Task
from qipo_ray.evaluation.registry import make_env

BENT = 0.1  # standard deviation of a weight's change, as a share of it
EXPERT_BENT = 0.05  # that of the best: a policy with more skill is sooner broken
NOISE = (0.1, 0.3)  # range of the noise's strength, uniform over episodes
FOLDER = Path(__file__).with_name("policies")
_LIVE = np.array([0])
_BLOCK = 10_000  # rows between two calls of ``progress``

Act = Callable[[NDArray[np.float32], int], NDArray[np.float64]]  # (state, step) -> action


@dataclass(frozen=True)
class Ladder:
    """The policies of one environment, such as hopper: the way to the medium one, and the best."""

    weights: NDArray[np.float32]  # (K, A, S + 1), the last column a bias
    returns: NDArray[np.float32]  # (K,), mean returns with bent weights and noise

    @classmethod
    def from_package(cls, environment: str) -> Ladder:
        """Return the policies that ship with this package."""
        with np.load(FOLDER / f"{environment}.npz", allow_pickle=False) as file:
            return cls(file["weights"], file["returns"])

    @property
    def expert(self) -> int:
        """The best policy, the last."""
        return len(self.weights) - 1

    @property
    def medium(self) -> int:
        """The policy worth a third of the best, the one before; all below lead to it."""
        return len(self.weights) - 2

    def behaviour(self, level: int, rng: np.random.Generator, horizon: int) -> Act:
        """Return how policy ``level`` acts in one episode."""
        bent = EXPERT_BENT if level == self.expert else BENT
        return behaviour(self.weights[level], bent, rng, horizon)


def behaviour(
    weights: NDArray[np.float32], bent: float, rng: np.random.Generator, horizon: int
) -> Act:
    """Return how one episode acts: ``weights (A, S + 1)`` bent, with noise, clipped to the box."""
    bent_weights = weights * (1 + bent * rng.standard_normal(weights.shape))
    noise = rng.uniform(*NOISE) * rng.standard_normal((horizon, len(weights)))

    def act(state: NDArray[np.float32], step: int) -> NDArray[np.float64]:
        mean = np.clip(bent_weights[:, :-1] @ state + bent_weights[:, -1], -1, 1)
        return np.clip(mean + noise[step], -1, 1)

    return act


def _random(actions: int, rng: np.random.Generator, horizon: int) -> Act:
    drawn = rng.uniform(-1, 1, (horizon, actions))
    return lambda _state, step: drawn[step]


def linear_rows(
    task: Task, count: int, seed: int, report: Callable[[int, int], None]
) -> dict[str, NDArray[np.generic]]:
    """Return ``count`` rows of a locomotion task in D4RL's layout, episode after episode.

    random: uniform actions. medium, expert: that policy. medium-replay: all policies up to the
    medium one. medium-expert: one half of each. The last episode is cut where the rows end.
    """
    environment, _, kind = task.id.partition("-")
    ladder, rng = Ladder.from_package(environment), np.random.default_rng(seed)
    envs = make_env(task)
    rows: dict[str, list] = {
        name: []
        for name in ("observations", "actions", "rewards", "next_observations", "terminals")
    }
    timeouts = np.zeros(count, bool)
    filled = 0
    while filled < count:
        act = _next(kind, ladder, rng, filled / count, task.horizon)
        state = envs.reset([int(rng.integers(2**31))])[0]
        for t in range(min(task.horizon, count - filled)):
            action = act(state, t).astype(np.float32)
            step = envs.step(_LIVE, action[None])
            following, ended = step.observations[0], bool(step.terminated[0])
            for name, value in zip(
                rows, (state, action, step.rewards[0], following, ended), strict=True
            ):
                rows[name].append(value)
            state = following
            if ended:
                break
        start, filled = filled, len(rows["rewards"])
        timeouts[filled - 1] = filled - start == task.horizon and not rows["terminals"][-1]
        if filled // _BLOCK > start // _BLOCK or filled == count:
            report(filled, count)
    envs.close()
    columns: dict[str, NDArray[np.generic]] = {
        name: np.array(values, dtype=bool if name == "terminals" else np.float32)
        for name, values in rows.items()
    }
    return columns | {"timeouts": timeouts}


def _next(kind: str, ladder: Ladder, rng: np.random.Generator, share: float, horizon: int) -> Act:
    """Return the behaviour of the next episode, when ``share`` of the file is made."""
    if kind == "random":
        return _random(ladder.weights.shape[1], rng, horizon)
    chosen = {
        "medium": ladder.medium,
        "expert": ladder.expert,
        "medium-expert": ladder.medium if share < 0.5 else ladder.expert,
        "medium-replay": int(rng.integers(ladder.medium + 1)),
    }[kind]
    return ladder.behaviour(chosen, rng, horizon)
