"""The table of ``qipo-ray bench peers``: a row a file and method, and what QIPO has to reach."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np

from qipo_ray.bench.outcome import BenchOutcome, Requirement
from qipo_ray.bench.peers import AHEAD, CLONING, MARGIN
from qipo_ray.bench.table import missing_notes, origin_notes
from qipo_ray.leaderboard.costs import latency_notes
from qipo_ray.leaderboard.statistics.bootstrap import Estimate, estimate
from qipo_ray.leaderboard.statistics.point_estimates import mean_of
from qipo_ray.leaderboard.tables import VALUE, Cell, Column, Score, Table

OWN = ("", CLONING)  # QIPO, and cloning of all: what it gains over its clone is a column
COLUMNS = (
    Column("file", "file"),
    Column("data", "data"),
    Column("method", "method"),
    Column("score", "score", parts=VALUE),
    Column("seeds", "by seed"),
    Column("gain", "least gain over its clone", parts=VALUE, signed=True),
    Column("latency", "ms per action", parts=VALUE),
    Column("cpu_s", "CPU s", parts=VALUE),
    Column("demands", "to reach: reached"),
    Column("met", "met"),
)
NOTES = (
    "Score: D4RL-normalised, last checkpoint, one action per state, from zero noise (IQL and"
    " TD3+BC: their mean); mean over training seeds with a 95 % bootstrap interval. All on the"
    " same environment seeds.",
    "Its clone: the cloning that the policy of the same run started from. CPU s: the longest"
    " training of a run, evaluation left out; a baseline's is all of its own.",
)


def peers_table(outcomes: Sequence[BenchOutcome], sources: Mapping[str, str]) -> Table:
    """Return the table; ``sources`` says for each file where its data come from."""
    return Table(
        title="What a user would run instead",
        caption="Normalised score of one preset on many files, beside what users run instead",
        source="generated",
        columns=COLUMNS,
        rows=tuple(_line(outcome, outcomes, sources) for outcome in outcomes),
        notes=(
            *NOTES,
            *latency_notes(run for outcome in outcomes for run in outcome.runs.values()),
            _overall_note(outcomes),
            *missing_notes(outcomes),
            *origin_notes(outcomes),
        ),
    )


def peer_requirements(
    outcome: BenchOutcome, outcomes: Sequence[BenchOutcome]
) -> Iterator[Requirement]:
    """Yield what QIPO has to reach on a file; nothing for what stands beside it."""
    if outcome.case.form:
        return
    yield from outcome.requirements()
    lead = _lead(outcome, outcomes)
    if lead is not None:
        name, points = lead
        met = points >= -MARGIN and not outcome.missing
        yield Requirement(f"mean ≥ that of {name} - {MARGIN:g}", f"{points:+.1f}", met)


def _line(
    outcome: BenchOutcome, outcomes: Sequence[BenchOutcome], sources: Mapping[str, str]
) -> tuple[Cell, ...]:
    requirements = list(peer_requirements(outcome, outcomes))
    scores, gains = outcome.scores, outcome.gains
    mean = _estimate(scores)
    counted = [seconds for seconds in outcome.cpu_s if seconds is not None]
    measured = [run["final"]["action_latency_ms"] for run in outcome.runs.values()]
    latencies = [milliseconds for milliseconds in measured if milliseconds is not None]
    return (
        outcome.case.task.name,
        sources[outcome.case.task.name],
        outcome.case.method if not outcome.case.form else outcome.case.form,
        None if mean is None else Score(mean.value, interval=mean.interval),
        "  ".join(f"{score:.1f}" for score in scores.values()) or None,
        Score(min(gains.values())) if gains and not outcome.case.form else None,
        Score(fmean(latencies)) if latencies else None,
        Score(max(counted)) if counted else None,
        "; ".join(f"{r.name}: {r.reached}" for r in requirements) or None,
        ("yes" if all(r.met for r in requirements) else "NO") if requirements else None,
    )


def _estimate(scores: Mapping[int, float]) -> Estimate | None:
    if not scores:
        return None
    values = np.array(list(scores.values()))
    return estimate({"": values}, mean_of, np.random.default_rng(0))


def peers_met(outcomes: Sequence[BenchOutcome]) -> bool:
    """Return whether QIPO reached all that it has to, on each file and over all."""
    each = all(r.met for outcome in outcomes for r in peer_requirements(outcome, outcomes))
    return each and overall(outcomes).met


def overall(outcomes: Sequence[BenchOutcome]) -> Requirement:
    """Return what QIPO has to reach over all files: to be well above others on half of them."""
    leads = [lead for outcome in outcomes if (lead := _lead(outcome, outcomes)) is not None]
    ahead, files = sum(lead[1] >= AHEAD for lead in leads), len(leads)
    name = f"mean ≥ that of every peer + {AHEAD:g} on half of the files"
    return Requirement(name, f"{ahead} of {files}", 2 * ahead >= files > 0)


def _overall_note(outcomes: Sequence[BenchOutcome]) -> str:
    r = overall(outcomes)
    return f"Over all files: {r.name}: {r.reached} ({'met' if r.met else 'NOT met'})."


def _lead(outcome: BenchOutcome, outcomes: Sequence[BenchOutcome]) -> tuple[str, float] | None:
    """Return the best other method of QIPO's file, and QIPO's mean less its; None without runs."""
    others = {
        other.case.form: fmean(other.scores.values())
        for other in outcomes
        if other.case.task == outcome.case.task and other.case.form not in OWN and other.runs
    }
    if outcome.case.form or not others or not outcome.runs:
        return None
    best = max(others, key=others.__getitem__)
    return best, fmean(outcome.scores.values()) - others[best]


def peers_plain(outcomes: Sequence[BenchOutcome], sources: Mapping[str, str]) -> dict[str, Any]:
    """Return all numbers as JSON holds them."""
    return {
        "met": peers_met(outcomes),
        "overall": vars(overall(outcomes)),
        "lines": [
            {
                "file": outcome.case.task.name,
                "data": sources[outcome.case.task.name],
                "method": outcome.case.form or outcome.case.method,
                "seeds": [
                    {
                        "seed": seed,
                        "record": record["id"],
                        "score": outcome.scores[seed],
                        "own_clone": outcome.cloned.get(seed),
                        "evidence": (record.get("critic_report") or {}).get("evidence"),
                        "cpu_s": record["cost"].get("cpu_s"),
                        "action_latency_ms": record["final"]["action_latency_ms"],
                        "latency_load": record["cost"].get("latency_load"),
                    }
                    for seed, record in outcome.runs.items()
                ],
                "missing": [{"seed": s, "reason": why} for s, why in outcome.missing.items()],
                "demands": [
                    {"what": r.name, "seen": r.reached, "met": r.met}
                    for r in peer_requirements(outcome, outcomes)
                ],
            }
            for outcome in outcomes
        ],
    }
