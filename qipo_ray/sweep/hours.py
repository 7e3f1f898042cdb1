"""The wall clock of a sweep: new trials begin while what is left of it holds the confirm step."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from qipo_ray.errors import UserError
from qipo_ray.store.lease import driven_seconds
from qipo_ray.study.search_spec import SearchSpec
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


def budget_of(plan: Plan, hours: float, processes: int, root: Path) -> Budget:
    """Return the budget of a sweep at ``root``.

    ``UserError`` if it cannot hold the confirm step and the first trials, or cannot be told.
    """
    if plan.unknown:
        raise UserError(f"--hours: nothing tells what {', '.join(plan.unknown)} takes here")
    confirm, search = (
        plan.seconds(works)[0].high / processes for works in (plan.confirm, plan.search)
    )
    trial = search / max(1, sum(len(task.trials) for task in plan.tasks))
    spent, first = driven_seconds(root), least_trials(plan.spec) * len(plan.tasks) * trial
    if not spent and 3600 * hours < confirm + first:
        runs = sum(len(task.confirm) for task in plan.tasks)
        raise UserError(
            f"--hours {hours:g}: the confirm step, {runs} runs, takes up to {confirm / 3600:.3g} "
            f"hours here, and the first trials of each task {first / 3600:.3g}: give at least "
            f"{(confirm + first) / 3600 + 0.001:.3f}, or fewer report seeds"
        )
    return Budget(3600 * hours, spent, confirm, trial)
