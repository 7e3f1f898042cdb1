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

from qipo_ray.data.tasks import get_task
from qipo_ray.errors import UserError
from qipo_ray.leaderboard.labels import labels
from qipo_ray.leaderboard.rows import KINDS, Method, Row
from qipo_ray.leaderboard.statistics import (
    Estimate,
    Interval,
    Scores,
    Statistic,
    estimates_of_all,
    iqm,
    mean_of,
    median_of,
    optimality_gap,
)
from qipo_ray.leaderboard.statistics.bootstrap import LEVEL, RESAMPLES, middle, resampled
from qipo_ray.study.selection import PAPER

EVERYTHING = "all tasks"
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
    def whole(self) -> bool:
        """Whether it was measured on every task of its scope; else it does not compare."""
        return len(self.rows) == self.tasks

    @property
    def tuned(self) -> bool:
        """Whether its tasks have different configurations under one name."""
        return len({row.method.config for row in self.rows}) > 1

    @property
    def contends(self) -> bool:
        """Whether it can lead: measured everywhere, and a policy rather than the data."""
        return self.whole and self.rows[0].method.kind != "data"


@cache
def family_of(task: str) -> str:
    """Return the family of a task; that of an unknown one is the first word of its name."""
    try:
        return get_task(task).family
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
    found = [Estimate(row.last.mean, None) for row in rows]
    places: defaultdict[int, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        places[len(row.scores)].append(place)
    for size in sorted(set(places) - {1}):
        drawn = resampled({"": np.arange(float(size))}, generator(), RESAMPLES)[""]
        shares = (drawn[..., None] == np.arange(size)).mean(axis=1)  # of each seed in a resample
        scores = np.array([rows[place].scores for place in places[size]])
        low, high = middle(scores @ shares.T, LEVEL)
        for place, a, b in zip(places[size], low, high, strict=True):
            found[place] = Estimate(rows[place].last.mean, Interval(float(a), float(b)))
    return found


def scores_of(rows: Iterable[Row]) -> Scores:
    """Return the scores by task, as the statistics take them."""
    return {row.method.task: np.array(row.scores) for row in rows}


def leaders(found: Sequence[Estimate], *, less: bool = False) -> list[bool]:
    """Say which estimates cannot be told from the best: those inside the best's interval.

    Nobody leads where the best has no interval: nothing says how far it is ahead.
    """
    sign = -1.0 if less else 1.0
    best = max(found, key=lambda one: sign * one.value, default=None)
    if best is None or best.interval is None:
        return [False] * len(found)
    bound = best.interval.high if less else best.interval.low
    return [sign * one.value >= min(sign * bound, sign * best.value) for one in found]


def aggregates(
    rows: Sequence[Row], scope_of: Callable[[str], str]
) -> tuple[list[Aggregate], list[str]]:
    """Return the configurations over each scope's tasks, and the tasks that had to stay out.

    ``rows`` are of one setting. A task stays out where one configuration was measured on it
    twice in ways that must not be averaged, such as on two files.
    """
    counts = Counter((row.method.task, row.method.config, *_way(row.method)) for row in rows)
    doubled = sorted({str(key[0]) for key, count in counts.items() if count > 1})
    usable = [row for row in rows if row.method.task not in doubled]
    tasks = Counter(scope_of(task) for task in {row.method.task for row in usable})
    known = labels(row.method for row in usable)
    groups: defaultdict[tuple[str, Key], list[Row]] = defaultdict(list)
    for row in usable:
        method = row.method
        groups[scope_of(method.task), (known[method], *_way(method))].append(row)
    every = estimates_of_all([scores_of(some) for some in groups.values()], STATISTICS, generator)
    found = [
        Aggregate(scope, known[some[0].method], tuple(some), tasks[scope], estimated)
        for ((scope, _), some), estimated in zip(groups.items(), every, strict=True)
    ]
    return sorted(found, key=_order), doubled


def _way(method: Method) -> Key:
    """Return what is the same on all tasks of a line, besides its label."""
    episodes = None if method.kind == "data" else method.episodes
    return method.kind, method.name, method.preset, method.sampler, method.steps, episodes


def _order(one: Aggregate) -> tuple[object, ...]:
    method = one.rows[0].method
    return (
        one.scope,
        KINDS.index(method.kind),
        method.preset != PAPER,
        "Diff" in method.name,
        one.label or "",
        method.sampler or "",
        method.steps or 0,
        method.episodes,
    )
