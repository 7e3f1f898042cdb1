"""Runs that nothing was rolled out of: what the data alone say of them, in tables of their own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean
from typing import Any

import numpy as np

from qipo_ray.data.tasks import NO_ENVIRONMENT
from qipo_ray.leaderboard.aggregate import generator, leading
from qipo_ray.leaderboard.statistics.bootstrap import Estimate, estimate
from qipo_ray.leaderboard.statistics.point_estimates import mean_of
from qipo_ray.leaderboard.statistics.spread import spread
from qipo_ray.leaderboard.tables import MEAN, Cell, Column, Score, Table
from qipo_ray.study.objective import LESS_IS_BETTER, SCORE, SIGNALS, measured, merit

Record = Mapping[str, Any]
NOTHING_ROLLED_OUT = "nothing was rolled out"
COLUMNS = (
    Column("task", "task"),
    Column("objective", "ranked by", "document"),
    Column("rank", "rank"),
    Column("method", "method"),
    Column("name", "configuration"),
    *(Column(name, title, parts=MEAN, significant=True) for name, title in SIGNALS.items()),
    Column("seeds", "seeds", "document"),
    Column("rolled_out", "rolled out"),
    Column("departures", "departures", "document", lettered=True),
    Column("dataset", "dataset SHA-256", "file"),
    Column("config", "configuration hash", "file"),
    Column("seed_list", "training seeds", "file"),
)
NOTES = (
    "No number here is a score, and none compares with one. FQE: discounted return from the starts"
    " of the data's episodes, by fitted Q evaluation; a policy that acts where the data say"
    " nothing is believed too much. TD error, behaviour loss: less is better.",
    "Bold: inside the 95 % interval of the best of its task; in brackets, bootstraps over training"
    " seeds, which do not hold the error that all seeds share. Below five seeds they are too"
    " narrow.",
)


@dataclass(frozen=True)
class _Line:
    """One configuration on one task, over its training seeds."""

    record: Record  # the first of its runs
    objective: str
    values: Mapping[str, tuple[float, ...]]  # by signal: one number for each seed that has one
    seeds: tuple[int, ...]

    def estimate(self, name: str) -> Estimate | None:
        """Return the mean of a signal with its interval; None where no seed has it."""
        values = self.values[name]
        if not values:
            return None
        return estimate({"": np.array(values)}, mean_of, generator())


def is_offline(record: Record) -> bool:
    """Return whether a reported run ended without a rollout, and signals were measured of it."""
    return (
        record["state"] == "finished"
        and record["reason"] == NO_ENVIRONMENT
        and bool(record.get("signals"))
    )


def objective_of(record: Record) -> str:
    """Return what a run was chosen by; where nobody chose, the first that is known of it."""
    chosen: str = record["protocol"].get("objective", SCORE)
    if chosen != SCORE:
        return chosen
    signals = record["signals"][-1]
    return next(name for name in SIGNALS if measured(name, signals) is not None)


def worth_of(record: Record) -> float | None:
    """Return a run's objective, as more of it is better."""
    objective = objective_of(record)
    return merit(objective, [measured(objective, record["signals"][-1])])


def offline_tables(records: Iterable[Record]) -> Iterator[Table]:
    """Yield a table for each source of data of the runs that were not rolled out.

    A task's configurations are ranked by what chose them, the best first.
    """
    lines = sorted(_lines(records), key=_order)
    for source, group in groupby(lines, key=lambda line: str(line.record["data"]["source"])):
        ranked = list(group)
        by = dict.fromkeys(SIGNALS[line.objective] for line in ranked)
        numbers = sorted({seed for line in ranked for seed in line.seeds})
        yield Table(
            title=f"No simulator, data source: {source}",
            caption=(
                f"{NOTHING_ROLLED_OUT.capitalize()}: the task has no environment. Ranked by"
                f" {' or '.join(by)}. Last checkpoint, mean ± sample standard deviation over"
                " training seeds"
                f" ({', '.join(map(str, numbers))})."
            ),
            source=source,
            columns=COLUMNS,
            rows=tuple(_rows(ranked)),
            notes=NOTES,
            kind="offline",
        )


def _lines(records: Iterable[Record]) -> Iterator[_Line]:
    groups: defaultdict[tuple[object, ...], list[Record]] = defaultdict(list)
    for record in records:
        names = record["label"]["method"], record["label"]["name"], record["config_hash"]
        groups[record["task"], record["data"]["sha256"], objective_of(record), names].append(
            record
        )
    for (_, _, objective, _), runs in groups.items():
        seeds = tuple(sorted({run["seed"] for run in runs}))
        values = {name: tuple(_by_seed(runs, name).values()) for name in SIGNALS}
        yield _Line(runs[0], str(objective), values, seeds)


def _by_seed(runs: Iterable[Record], name: str) -> dict[int, float]:
    """Return a signal by training seed: the mean of its runs."""
    numbers: defaultdict[int, list[float]] = defaultdict(list)
    for run in runs:
        value = measured(name, run["signals"][-1])
        if value is not None:
            numbers[run["seed"]].append(value)
    return {seed: fmean(values) for seed, values in sorted(numbers.items())}


def _order(line: _Line) -> tuple[object, ...]:
    record, value = line.record, merit(line.objective, line.values[line.objective] or [None])
    board = record["data"]["source"], record["task"], record["data"]["sha256"], line.objective
    missing = len(line.values[line.objective]) < len(line.seeds)  # no mean over other seeds
    return *board, missing, -(value or 0), record["config_hash"], str(record["label"]["name"])


def _rows(lines: Sequence[_Line]) -> Iterator[tuple[Cell, ...]]:
    for _, group in groupby(lines, key=lambda line: _order(line)[:4]):
        ranked = list(group)
        scores = {name: _scores(ranked, name) for name in SIGNALS}
        for rank, line in enumerate(ranked):
            record = line.record
            cells: dict[str, Cell] = {
                "task": record["task"],
                "objective": SIGNALS[line.objective],
                "rank": rank + 1,
                "method": record["label"]["method"],
                "name": record["label"]["name"] or record["config_hash"][:8],
                "seeds": len(line.seeds),
                "rolled_out": "nothing",
                "departures": ", ".join(record["label"]["departures"]) or "none",
                "dataset": record["data"]["sha256"],
                "config": record["config_hash"],
                "seed_list": " ".join(map(str, line.seeds)),
                **{name: scores[name][rank] for name in SIGNALS},
            }
            yield tuple(cells[column.key] for column in COLUMNS)


def _scores(lines: Sequence[_Line], name: str) -> list[Score | None]:
    """Return a signal of each configuration; of what they are ranked by, the leading in bold."""
    estimates = [line.estimate(name) for line in lines]
    complete = [len(line.values[name]) == len(line.seeds) for line in lines]
    bold = [False] * len(lines)
    if name == lines[0].objective:
        filled = [mean or Estimate(0.0, None) for mean in estimates]
        competing = [c and e is not None for c, e in zip(complete, estimates, strict=True)]
        bold = leading(filled, competing, less=name in LESS_IS_BETTER)
    return [
        Score.from_spread(spread(line.values[name]), mean.interval, bold=leads) if mean else None
        for line, mean, leads in zip(lines, estimates, bold, strict=True)
    ]
