"""Warnings about results: what a careful reader should know before believing a number."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean

from qipo_ray.leaderboard.figures.series import Series, series_of
from qipo_ray.leaderboard.rows import Record
from qipo_ray.leaderboard.statistics.spread import spread
from qipo_ray.leaderboard.tables import counted
from qipo_ray.study.trial import BROKEN

FEW_SEEDS = 5  # fewer than that, and an interval over seeds is too narrow
WIDE = 15.0  # normalised points: a standard deviation over seeds that hides most differences
FALLEN = 15.0  # normalised points that the last evaluation lies below the best one
ONE_HOT, EVEN = 1.5, 0.95  # effective sample size of the weights: a number, a share of all


def warnings_of(records: Sequence[Record], root: Path) -> list[str]:
    """Return what is to be said about unique records; ``root`` may hold their metrics."""
    warnings = [*_broken(records), *_code(records)]
    for series in series_of(records):
        subject = f"{series.task} ({series.source}), {series.name}"
        messages = (*_scores(series), *_reports(series), *_weights(series, root))
        warnings += [f"{subject}: {message}" for message in messages]
    return warnings


def _broken(records: Sequence[Record]) -> Iterator[str]:
    for state in BROKEN:
        broken = [record for record in records if record["state"] == state]
        if broken:
            counts = Counter(str(record["reason"]) for record in broken).most_common(3)
            reasons = "; ".join(f"{reason} ({count})" for reason, count in counts)
            yield f"{len(broken)} of {counted(len(records), 'run')} {state}: {reasons}."


def _code(records: Sequence[Record]) -> Iterator[str]:
    origins = {
        (record["provenance"]["version"], record["provenance"]["commit"]) for record in records
    }
    if len(origins) > 1:
        yield f"The runs were made by {len(origins)} versions or commits of the program."
    changed = sum(record["provenance"]["dirty"] is True for record in records)
    if changed:
        were = "was" if changed == 1 else "were"
        yield f"{counted(changed, 'run')} {were} made with changes that no commit holds."


def _scores(series: Series) -> Iterator[str]:
    scores = series.scores
    if len(scores) < FEW_SEEDS:
        seeds = counted(len(scores), "training seed")
        yield f"{seeds}; below {FEW_SEEDS} the interval is too narrow."
    mean = fmean(scores)
    deviation = spread(scores).std
    if deviation is not None and deviation > WIDE:
        yield f"the seeds differ much: standard deviation {deviation:.1f}."
    best = series.mean_of("final", "best", "normalised")
    cloned = series.mean_of("behaviour_cloning", "normalised")
    if best is not None and best - mean > FALLEN:
        yield f"the last score is {best - mean:.1f} below the best evaluation: it fell at the end."
    if cloned is not None and mean < cloned:
        yield f"it scores {cloned - mean:.1f} below the behaviour cloning that it started from."


def _reports(series: Series) -> Iterator[str]:
    """Yield what the reports of critics and policies warn of, each kind with how many say it."""
    for stage in ("critic", "policy"):
        name = f"{stage}_report"
        reports = [record[name] for record in series.records if record.get(name)]
        kinds: defaultdict[str, list[str]] = defaultdict(list)
        for warning in (warning for report in reports for warning in report["warnings"]):
            kinds[warning.partition(":")[0]].append(warning)
        for messages in kinds.values():
            yield f"{stage}: {messages[0]} ({len(messages)} of {counted(len(reports), 'seed')})."


def _weights(series: Series, root: Path) -> Iterator[str]:
    """Yield what the effective sample size of the policy's weights says, where it was kept."""
    sizes = [size for record in series.records if (size := _final_ess(record, root)) is not None]
    if not sizes:
        return
    policy = series.records[0]["config"]["policy"]
    support = policy.get("support_size", 0) + bool(policy.get("data_action"))
    size = fmean(sizes)
    if size < ONE_HOT:
        yield f"the weights rest on {size:.1f} of {support} actions: beta is large for this Q."
    elif support and size > EVEN * support:
        yield f"the weights are nearly even ({size:.1f} of {support}): the policy hardly improves."


def _final_ess(record: Record, root: Path) -> float | None:
    """Return the last effective sample size of a run's policy job, or None.

    Records from before they held it have it in the metrics below ``root``.
    """
    if record.get("health") is not None:
        kept: float | None = (record["health"].get("policy") or {}).get("ess")
        return kept
    path = root / "artefacts" / f"policy-{record['jobs']['policy']}" / "metrics.csv"
    try:
        with path.open(newline="") as file:
            values = [row.get("ess") for row in csv.DictReader(file)]
        return float(values[-1] or "") if values else None
    except (OSError, ValueError):
        return None  # not kept, or torn
