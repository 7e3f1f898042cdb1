"""The reported runs that figures show, by setting, task and configuration."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from qipo_ray.leaderboard.figures.drawing import short_label
from qipo_ray.leaderboard.labels import row_labels
from qipo_ray.leaderboard.rows import (
    EvalSetting,
    Method,
    Record,
    exclusion_reason,
    lookup,
    method_of,
)
from qipo_ray.study.selection import PAPER


@dataclass(frozen=True)
class Series:
    """The reported runs of one configuration on one task; they differ in the seed alone."""

    setting: EvalSetting
    task: str
    name: str  # as figures label it; the same on every task of a method
    records: tuple[Record, ...]  # by seed

    @property
    def source(self) -> str:
        """Where the scores come from."""
        return self.setting.origin

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
        numbers = [lookup(record, keys) for record in self.records]
        measured = [number for number in numbers if number is not None]
        return fmean(measured) if measured else None


def series_of(records: Iterable[Record]) -> list[Series]:
    """Return the reported runs by setting, task and configuration; the paper's form first.

    The records are unique; one series is one row of the tables, under the same label.
    """
    groups: defaultdict[Method, list[Record]] = defaultdict(list)
    for record in records:
        if exclusion_reason(record) is None:
            groups[method_of(record)].append(record)
    labels = row_labels(groups)
    series = []
    for method, group in groups.items():
        runs = sorted(group, key=lambda record: (record["seed"], record["id"]))
        name = short_label(labels[method])
        series.append(Series(method.setting, method.task, name, tuple(runs)))
    return sorted(series, key=lambda s: (s.setting, s.task, PAPER not in s.name, s.name))
