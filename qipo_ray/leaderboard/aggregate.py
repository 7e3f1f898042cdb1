"""From rows to one line per configuration over several tasks, and which of them lead.

A configuration is known by its method and label: what a sweep calls "search, best" is tuned for
each task. What was measured in another way is another line, never averaged.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from qipo_ray.data.tasks import get_task, is_own
from qipo_ray.errors import UserError
from qipo_ray.leaderboard.labels import config_labels
from qipo_ray.leaderboard.rows import KINDS, Method, Row
from qipo_ray.leaderboard.statistics.bootstrap import (
    LEVEL,
    RESAMPLES,
    Estimate,
    Interval,
    central_quantiles,
    estimates_of_all,
    resampled,
)
from qipo_ray.leaderboard.statistics.point_estimates import (
    Scores,
    Statistic,
    iqm,
    mean_of,
    median_of,
    optimality_gap,
)
from qipo_ray.study.selection import PAPER

ALL_TASKS = "all tasks"
STATISTICS: Mapping[str, Statistic] = {
    "mean": mean_of,
    "iqm": iqm,
    "median": median_of,
    "gap": optimality_gap,
}
LESS_IS_BETTER = ("gap",)

Key = tuple[object, ...]


@dataclass(frozen=True)
class Aggregate:
    """One configuration over the tasks of a family, or over all."""

    scope: str
    label: str | None  # of the configuration
    rows: tuple[Row, ...]  # one per task
    tasks: int  # that the scope has in this table
    estimates: Mapping[str, Estimate]

    @property
    def complete(self) -> bool:
        """Whether it was measured on every task of its scope; else it does not compare."""
        return len(self.rows) == self.tasks

    @property
    def tuned(self) -> bool:
        """Whether its tasks have different configurations under one name."""
        return len({row.method.config for row in self.rows}) > 1

    @property
    def competes(self) -> bool:
        """Whether it can lead: measured everywhere, and a policy rather than the data."""
        return self.complete and self.method.kind != "data"

    @property
    def method(self) -> Method:
        """The method on its first task; names and protocol are the same on all of them."""
        return self.rows[0].method


@cache
def family_of(task: str) -> str:
    """Return what a task is reported with, its family or data set; else its name's first word."""
    if is_own(task):
        return "own"
    try:
        return get_task(task).group
    except UserError:
        return task.split("-")[0]


def generator() -> np.random.Generator:
    """Return the random numbers of one line: the same for each, whatever else is in the table."""
    return np.random.default_rng(0)


def row_estimates(rows: Sequence[Row]) -> list[Estimate]:
    """Return each row's mean over seeds with its bootstrap interval.

    It is what ``estimate`` gives for one row; here all rows of a size share the draws, so that
    thousands take no longer than one matrix product.
    """
    estimates = [Estimate(row.last.mean, None) for row in rows]
    same_size: defaultdict[int, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        same_size[len(row.scores)].append(index)
    for size in sorted(set(same_size) - {1}):
        drawn = resampled({"": np.arange(float(size))}, generator(), RESAMPLES)[""]
        shares = (drawn[..., None] == np.arange(size)).mean(axis=1)  # of each seed in a resample
        scores = np.array([rows[index].scores for index in same_size[size]])
        low, high = central_quantiles(scores @ shares.T, LEVEL)
        for index, a, b in zip(same_size[size], low, high, strict=True):
            estimates[index] = Estimate(rows[index].last.mean, Interval(float(a), float(b)))
    return estimates


def scores_of(rows: Iterable[Row]) -> Scores:
    """Return the scores by task, as the statistics take them."""
    return {row.method.task: np.array(row.scores) for row in rows}


def leading(
    estimates: Sequence[Estimate], competing: Sequence[bool], *, less: bool = False
) -> list[bool]:
    """Say which of the competing cannot be told from their best: those inside its interval.

    Nobody leads where the best has no interval: nothing says how far it is ahead.
    """
    sign = -1.0 if less else 1.0
    competitors = [
        estimate for estimate, competes in zip(estimates, competing, strict=True) if competes
    ]
    best = max(competitors, key=lambda estimate: sign * estimate.value, default=None)
    if best is None or best.interval is None:
        return [False] * len(estimates)
    bound = sign * (best.interval.high if less else best.interval.low)
    least = min(bound, sign * best.value)
    return [
        competes and sign * estimate.value >= least
        for estimate, competes in zip(estimates, competing, strict=True)
    ]


def aggregates(
    rows: Sequence[Row], scope_of: Callable[[str], str] = lambda task: ALL_TASKS
) -> tuple[list[Aggregate], list[str]]:
    """Return the configurations over each scope's tasks, and the tasks that had to stay out.

    ``rows`` are of one setting. A task stays out where one configuration was measured on it
    twice in ways that must not be averaged, such as on two files.
    """
    counts = Counter(
        (row.method.task, row.method.config, *_conditions(row.method)) for row in rows
    )
    doubled = sorted({str(key[0]) for key, count in counts.items() if count > 1})
    usable = [row for row in rows if row.method.task not in doubled]
    tasks = Counter(scope_of(task) for task in {row.method.task for row in usable})
    labels = config_labels(row.method for row in usable)
    groups: defaultdict[tuple[str, Key], list[Row]] = defaultdict(list)
    for row in usable:
        method = row.method
        groups[scope_of(method.task), (labels[method], *_conditions(method))].append(row)
    estimates = estimates_of_all([scores_of(g) for g in groups.values()], STATISTICS, generator)
    configs = [
        Aggregate(scope, labels[group[0].method], tuple(group), tasks[scope], estimate)
        for ((scope, _), group), estimate in zip(groups.items(), estimates, strict=True)
    ]
    return sorted(configs, key=_order), doubled


def _conditions(method: Method) -> Key:
    """Return what is the same on all tasks of a line, besides its label."""
    episodes = None if method.kind == "data" else method.episodes
    acting = method.sampler, method.steps, method.best_of
    return method.kind, method.name, method.preset, *acting, episodes


def _order(aggregate: Aggregate) -> tuple[object, ...]:
    method = aggregate.method
    return (
        aggregate.scope,
        KINDS.index(method.kind),
        method.preset != PAPER,
        "Diff" in method.name,
        aggregate.label or "",
        method.sampler or "",
        method.steps or 0,
        method.best_of,
        method.episodes,
    )
