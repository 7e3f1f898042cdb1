"""The best configuration held against each other one: by how much it leads, and how surely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from qipo_ray.leaderboard.aggregate import (
    EVERYTHING,
    Aggregate,
    aggregates,
    generator,
    scores_of,
)
from qipo_ray.leaderboard.rows import EvalSetting, Row
from qipo_ray.leaderboard.statistics import (
    Estimate,
    Runs,
    paired_test,
    probability_of_improvement,
    ranks,
)
from qipo_ray.leaderboard.tables import VALUE, Cell, Column, Score, Table
from qipo_ray.leaderboard.views.common import GENERATED, METRIC, protocol

MOST_LINES = 20  # configurations, the best ones
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


def comparison(setting: EvalSetting, rows: Sequence[Row]) -> Table | None:
    """Return the table of one data source and protocol; None with less than two to compare.

    Only configurations that were measured on every task take part.
    """
    found = [one for one in aggregates(rows, lambda task: EVERYTHING)[0] if one.contends]
    if len(found) < 2:
        return None
    places = _mean_ranks(found)
    ordered = sorted(range(len(found)), key=lambda place: -found[place].estimates["mean"].value)
    best = found[ordered[0]]
    more = len(ordered[MOST_LINES:])
    return Table(
        title=f"Data source: {setting.source}, the best against the others",
        caption=f"{METRIC}. Last checkpoint, {protocol(setting, rows)}",
        source=setting.source,
        columns=COLUMNS,
        rows=tuple(_line(best, found[at], places[at]) for at in ordered[:MOST_LINES]),
        notes=(
            *NOTES,
            *([GENERATED] if setting.source == "generated" else []),
            *([f"{more} more configurations, all with a lower mean, are left out."] * (more > 0)),
        ),
        kind="comparison",
    )


def _mean_ranks(found: Sequence[Aggregate]) -> list[float]:
    """Return each one's rank among all of them, averaged over tasks."""
    per_task: dict[str, dict[str, float]] = {}
    for place, one in enumerate(found):
        for row in one.rows:
            per_task.setdefault(row.method.task, {})[str(place)] = row.last.mean
    ranked = [ranks(means) for means in per_task.values()]
    return [fmean(task[str(place)] for task in ranked) for place in range(len(found))]


def _line(best: Aggregate, one: Aggregate, rank: float) -> tuple[Cell, ...]:
    method = one.rows[0].method
    names = (method.name, one.label, _score(one.estimates["mean"]), f"{rank:.1f}")
    if one is best:
        return *names, None, None, None, None
    better = probability_of_improvement(scores_of(best.rows), scores_of(one.rows), generator())
    wins = _score(better, unit=100.0)
    first, second = _runs(best), _runs(one)
    if not any(first[task].keys() & second[task].keys() for task in first):
        return *names, None, None, 0, wins
    test = paired_test(first, second, generator())
    p_value = f"{test.p_value:.3g}" if test.p_value >= 1e-4 else "< 1e-4"
    return *names, _score(test.difference), p_value, test.pairs, wins


def _runs(one: Aggregate) -> Runs:
    found: Mapping[str, Mapping[int, float]] = {
        row.method.task: dict(zip(row.seeds, row.scores, strict=True)) for row in one.rows
    }
    return found


def _score(estimate: Estimate, unit: float = 1.0) -> Score:
    interval = estimate.interval
    if interval is not None:
        interval = type(interval)(interval.low * unit, interval.high * unit, interval.level)
    return Score(estimate.value * unit, interval=interval)
