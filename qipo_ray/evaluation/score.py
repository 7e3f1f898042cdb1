"""Scores: what a set of episodes is worth, and the protocol that says how it was measured."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from qipo_ray.data.tasks import Task
from qipo_ray.evaluation.rollout import Rollouts

# Departure D31: the same episodes for all training seeds; the paper's code: from seed + 1001.
FIRST_SEED = 1001  # of the environments; the same for every configuration and training seed


@dataclass(frozen=True)
class EvalProtocol:
    """How a score was measured."""

    episodes: int
    env_seeds: str  # such as "1001..1100"
    sampler: str  # "midpoint", "dpmpp_2m", ...
    steps: int  # network evaluations per action
    best_of: int  # actions drawn per state; 1: the drawn action is executed
    clip: bool  # samples are clipped to [-1, 1] inside the sampler
    selection_episodes: int  # online episodes that chose the configuration; 0: chosen without
    physics: int = 1  # of the simulator, see `data.tasks.physics`
    scores: str | None = None  # what they are, where they are not D4RL's
    objective: str = "score"  # what chose the configuration

    def document(self) -> dict[str, Any]:
        """Return what stands in every record; what came later is left out where it is usual."""
        usual = {"physics": 1, "scores": None, "objective": "score"}
        return {key: v for key, v in asdict(self).items() if key not in usual or v != usual[key]}


def env_seeds(episodes: int, first: int = FIRST_SEED) -> list[int]:
    """Return the environment seeds of an evaluation over ``episodes`` episodes."""
    return [first + episode for episode in range(episodes)]


def env_seeds_text(episodes: int, first: int = FIRST_SEED) -> str:
    """Return the environment seeds as a record holds them: ``"1001..1100"``."""
    return f"{first}..{first + episodes - 1}"


def normalised(task: Task, value: float) -> float:
    """Return D4RL's normalised score in per cent of the raw return ``value``."""
    return 100.0 * (value - task.ref_min) / (task.ref_max - task.ref_min)


def score(task: Task, rollouts: Rollouts, updates: int) -> dict[str, int | float | None]:
    """Return a record's score of a policy after ``updates`` updates.

    ``mean`` and ``std`` (population, over episodes) are raw returns, ``normalised`` is per cent of
    the mean, or of episodes where the task is scored by them, and ``success`` the share of
    episodes that reached the goal, None without a goal.
    """
    mean = float(rollouts.returns.mean())
    success = None if rollouts.success is None else float(rollouts.success.mean())
    return {
        "updates": updates,
        "episodes": len(rollouts.returns),
        "mean": mean,
        "std": float(rollouts.returns.std()),
        "normalised": 100.0 * (success or 0) if task.by_success else normalised(task, mean),
        "success": success,
    }


def each_score(task: Task, rollouts: Rollouts) -> list[float]:
    """Return the score of every episode, whose mean is that of the policy."""
    if task.by_success and rollouts.success is not None:
        return [100.0 * bool(reached) for reached in rollouts.success]
    return [normalised(task, float(value)) for value in rollouts.returns]
