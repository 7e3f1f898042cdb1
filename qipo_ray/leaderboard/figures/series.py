"""The reported runs that pictures show, by setting, task and configuration."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from qipo_ray.leaderboard.figures.drawing import label
from qipo_ray.leaderboard.labels import words
from qipo_ray.leaderboard.rows import (
    EvalSetting,
    Method,
    Record,
    at,
    left_out_because,
    method_of,
)
from qipo_ray.leaderboard.trial_results import TrialResult
from qipo_ray.study.selection import PAPER


@dataclass(frozen=True)
class Series:
    """The reported runs of one configuration on one task; they differ in the seed alone."""

    setting: EvalSetting
    task: str
    name: str  # as pictures label it; the same on every task of a method
    records: tuple[Record, ...]  # by seed

    @property
    def scores(self) -> tuple[float, ...]:
        """The normalised scores of the last checkpoints: one per seed, as in the tables."""
        seeds: defaultdict[int, set[float]] = defaultdict(set)
        for record in self.records:
            seeds[record["seed"]].add(record["final"]["last"]["normalised"])
        return tuple(fmean(values) for values in seeds.values())

    @property
    def selection_episodes(self) -> int:
        """Online evaluation episodes that chose this configuration."""
        return int(self.records[0]["protocol"]["selection_episodes"])

    def mean_of(self, *keys: str) -> float | None:
        """Return the mean of a number of the records, such as ``cost, device_s``, or None."""
        found = [at(record, keys) for record in self.records]
        known = [value for value in found if value is not None]
        return fmean(known) if known else None


def series_of(records: Iterable[Record]) -> list[Series]:
    """Return the reported runs by setting, task and configuration; the paper's form first.

    The records are unique; one series is one row of the tables, under the same label.
    """
    groups: defaultdict[Method, list[Record]] = defaultdict(list)
    for record in records:
        if left_out_because(record) is None:
            groups[method_of(record)].append(record)
    names = words(groups)
    found = []
    for method, some in groups.items():
        name = label(names[method])
        runs = sorted(some, key=lambda record: (record["seed"], record["id"]))
        found.append(Series(method.setting, method.task, name, tuple(runs)))
    return sorted(found, key=lambda s: (s.setting, s.task, PAPER not in s.name, s.name))


def tasks_of(items: Sequence[Series] | Sequence[TrialResult]) -> list[str]:
    """Return the tasks, each once, in order."""
    return list(dict.fromkeys(item.task for item in items))
