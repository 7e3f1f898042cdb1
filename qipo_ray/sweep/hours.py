"""The wall clock of a sweep: new trials begin while what is left of it holds the confirm step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from qipo_ray.errors import UserError
from qipo_ray.store.lease import driven_seconds
from qipo_ray.study.search_spec import Resources, SearchSpec
from qipo_ray.sweep.plan import Plan

FASTEST = 0.5  # that trials can make the expected times, however few have ended


class Budget:
    """Hours for all drivers of a sweep together; the time of its confirm step is set aside."""

    def __init__(
        self,
        seconds: float,
        spent: float,
        confirm: float,
        trial: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what earlier drivers spent, and what confirm step and a trial are expected to."""
        self.confirm, self.trial, self._clock = confirm, trial, clock
        self._end = clock() + seconds - spent
        self._begun = clock()

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self._end - self._clock()

    def holds(self, trials: int, ended: int = 0) -> bool:
        """Return whether so many trials, begun or new, and the confirm step fit into the rest.

        ``ended`` have ended since this driver began: they say how right the expected times are.
        """
        pace = 1.0
        if ended:
            pace = max(FASTEST, (self._clock() - self._begun) / (ended * self.trial))
        return self.left >= pace * (self.confirm + trials * self.trial)

    def holds_runs(self, share: float) -> bool:
        """Return whether more runs fit, as many as ``share`` times the confirm step has."""
        return self.left >= share * self.confirm


def least_trials(spec: SearchSpec) -> int:
    """Return how many trials a task has whatever the hours: one is searched beside the paper's."""
    return min(spec.trials, 1 + (spec.paper is not None))


@dataclass(frozen=True)
class Limit:
    """What a user gives a sweep: hours of wall clock, or of all GPUs that it holds together."""

    option: str
    hours: float
    gpus: float | None = None  # None: the hours are wall clock

    @property
    def wall(self) -> float:
        """Hours of wall clock."""
        return self.hours / (self.gpus or 1)

    def text(self, seconds: float) -> str:
        """Return so much wall clock in the unit of the limit."""
        unit = "hours" if self.gpus is None else "GPU hours"
        return f"{seconds / 3600 * (self.gpus or 1):.3g} {unit}"


def limit_of(hours: float | None, gpu_hours: float | None, resources: Resources) -> Limit | None:
    """Return what ends a sweep first, None if nothing does; ``UserError`` if nothing can tell."""
    for option, number in (("--hours", hours), ("--gpu-hours", gpu_hours)):
        if number is not None and not 0 < number < math.inf:
            raise UserError(f"{option}: expected a number above 0; got {number:g}")
    limits = [] if hours is None else [Limit("--hours", hours)]
    if gpu_hours is not None:
        if not resources.gpus:
            raise UserError(
                "--gpu-hours: the workers have no GPU (resources.gpus: 0); give --hours"
            )
        if resources.workers == "auto":
            raise UserError(
                "--gpu-hours: with workers: auto nothing says how many GPUs the sweep holds; "
                "give their number in resources.workers"
            )
        limits.append(Limit("--gpu-hours", gpu_hours, resources.workers * resources.gpus))
    return min(limits, key=lambda limit: limit.wall, default=None)


def budget_of(plan: Plan, limit: Limit, processes: int, root: Path) -> Budget:
    """Return the budget of a sweep at ``root``.

    ``UserError`` if it cannot hold the confirm step and the first trials, or cannot be told.
    """
    if plan.unknown:
        raise UserError(f"{limit.option}: nothing tells what {', '.join(plan.unknown)} takes here")
    confirm, search = (
        plan.seconds(works)[0].high / processes for works in (plan.confirm, plan.search)
    )
    trial = search / max(1, sum(len(task.trials) for task in plan.tasks))
    spent, first = driven_seconds(root), least_trials(plan.spec) * len(plan.tasks) * trial
    if not spent and 3600 * limit.wall < confirm + first:
        runs = sum(len(task.confirm) for task in plan.tasks)
        least = (confirm + first) / 3600 + 0.001
        raise UserError(
            f"{limit.option} {limit.hours:g}: the confirm step, {runs} runs, takes up to "
            f"{limit.text(confirm)} here, and the first trials of each task {limit.text(first)}: "
            f"give at least {least * (limit.gpus or 1):.3f}, or fewer report seeds"
        )
    return Budget(3600 * limit.wall, spent, confirm, trial)
