"""The best configuration held against each other one: by how much it leads, and how surely."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from qipo_ray.leaderboard.aggregate import Aggregate, aggregates, generator, scores_of
from qipo_ray.leaderboard.rows import EvalSetting, Row
from qipo_ray.leaderboard.statistics.bootstrap import Estimate, Interval
from qipo_ray.leaderboard.statistics.paired_tests import (
    Runs,
    paired_test,
    probability_of_improvement,
)
from qipo_ray.leaderboard.statistics.ranks import mean_ranks
from qipo_ray.leaderboard.tables import VALUE, Cell, Column, Score, Table
from qipo_ray.leaderboard.views.common import GENERATED, metric, protocol

MAX_LINES = 20  # configurations, the best ones
NOTES = (
    "Lead: the best line's mean minus this one's, on the tasks and training seeds that both have."
    " p: two-sided sign-flip permutation test of these pairs, not corrected for their number; with"
    " n pairs it cannot fall below 2 / 2^n.",
    "Wins: how probably a run of the best line beats one of this line, ties counting half. Rank:"
    " mean over tasks, 1 is best. Brackets: 95 % bootstrap intervals over training seeds.",
    "The best line was chosen by the scores that are compared here, so its lead is optimistic.",
)
COLUMNS = (
    Column("method", "method"),
    Column("name", "configuration"),
    Column("mean", "mean", parts=VALUE),
    Column("rank", "mean rank"),
    Column("lead", "lead of the best", parts=VALUE, signed=True),
    Column("p", "p"),
    Column("pairs", "pairs"),
    Column("wins", "wins of the best, %", parts=VALUE),
)


def against_best(setting: EvalSetting, rows: Sequence[Row]) -> Table | None:
    """Return the table of one data source and protocol; None with less than two to compare.

    Only configurations that were measured on every task take part.
    """
    configs = [aggregate for aggregate in aggregates(rows)[0] if aggregate.competes]
    if len(configs) < 2:
        return None
    ranked = sorted(
        zip(configs, _ranks(configs), strict=True),
        key=lambda pair: -pair[0].estimates["mean"].value,
    )
    best = ranked[0][0]
    more = len(ranked[MAX_LINES:])
    return Table(
        title=f"Data source: {setting.origin}, the best against the others",
        caption=f"{metric(setting)}. Last checkpoint, {protocol(setting, rows)}",
        source=setting.origin,
        columns=COLUMNS,
        rows=tuple(_line(best, config, rank) for config, rank in ranked[:MAX_LINES]),
        notes=(
            *NOTES,
            *([GENERATED] if setting.source == "generated" else []),
            *([f"{more} more configurations, all with a lower mean, are left out."] * (more > 0)),
        ),
        kind="comparison",
    )


def _ranks(configs: Sequence[Aggregate]) -> list[float]:
    """Return each one's rank among all of them, 1 for the best, averaged over tasks."""
    means = [{row.method.task: row.last.mean for row in config.rows} for config in configs]
    by_task = [mean_ranks([-scores[task] for scores in means]) for task in means[0]]
    return [fmean(ranks) for ranks in zip(*by_task, strict=True)]


def _line(best: Aggregate, config: Aggregate, rank: float) -> tuple[Cell, ...]:
    mean = _score(config.estimates["mean"])
    cells = (config.method.name, config.label, mean, f"{rank:.1f}")
    if config is best:
        return *cells, None, None, None, None
    better = probability_of_improvement(scores_of(best.rows), scores_of(config.rows), generator())
    wins = _score(better, unit=100.0)
    first, second = _runs(best), _runs(config)
    if not any(first[task].keys() & second[task].keys() for task in first):
        return *cells, None, None, 0, wins
    test = paired_test(first, second, generator())
    p_value = f"{test.p_value:.3g}" if test.p_value >= 1e-4 else "< 1e-4"
    return *cells, _score(test.difference), p_value, test.pairs, wins


def _runs(config: Aggregate) -> Runs:
    return {row.method.task: dict(zip(row.seeds, row.scores, strict=True)) for row in config.rows}


def _score(estimate: Estimate, unit: float = 1.0) -> Score:
    interval = estimate.interval
    if interval is not None:
        interval = Interval(interval.low * unit, interval.high * unit)
    return Score(estimate.value * unit, interval=interval)
