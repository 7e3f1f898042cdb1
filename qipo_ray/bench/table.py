"""The benchmark's one table, for the terminal and as Markdown, and the same as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from qipo_ray.bench.outcome import BenchOutcome
from qipo_ray.config import config_hash
from qipo_ray.leaderboard.provenance import hardware_text
from qipo_ray.leaderboard.tables import VALUE, Cell, Column, Score, Table, counted

COLUMNS = (
    Column("task", "task"),
    Column("method", "method"),
    Column("gains", "QIPO − BC by seed"),
    Column("mean", "mean", parts=VALUE, signed=True),
    Column("cloned", "BC", parts=VALUE),
    Column("greedy", "best of 16 − BC", parts=VALUE, signed=True),
    Column("cpu_s", "CPU s", parts=VALUE),
    Column("demands", "to reach: reached"),
    Column("met", "met"),
)
NOTES = (
    "BC: the cloning of the same run, scored like its policy, both by the network or both by its"
    " average. Mean: over training seeds, with a 95 % bootstrap interval."
    " All on the same environment seeds.",
    "Best of 16: of the actions that the cloned policy proposes, the one of highest Q, which the"
    " improved policy should approach (of the paper's form over 10 episodes). CPU s: the longest"
    " training of a run, evaluation left out.",
)


def table(outcomes: Sequence[BenchOutcome]) -> Table:
    """Return the table, with the critics' warnings and what is missing below it."""
    return Table(
        title="Learning on small budgets",
        caption="Normalised score of the last policy minus that of behaviour cloning",
        source="generated",
        columns=COLUMNS,
        rows=tuple(_line(outcome) for outcome in outcomes),
        notes=(*NOTES, *_warnings(outcomes), *missing_notes(outcomes), *origin_notes(outcomes)),
    )


def _line(outcome: BenchOutcome) -> tuple[Cell, ...]:
    requirements, mean = outcome.requirements(), outcome.mean
    counted = [seconds for seconds in outcome.cpu_s if seconds is not None]
    return (
        outcome.case.task.task,
        outcome.case.method,
        "  ".join(f"{gain:+.1f}" for gain in outcome.gains.values()) or None,
        None if mean is None else Score(mean.value, interval=mean.interval),
        _mean(outcome.cloned),
        _mean(outcome.greedy),
        Score(max(counted)) if counted else None,
        "; ".join(f"{r.name}: {r.reached}" for r in requirements) or None,
        ("yes" if all(r.met for r in requirements) else "NO") if requirements else None,
    )


def _mean(values: Mapping[int, float]) -> Score | None:
    return Score(fmean(values.values())) if values else None


def _name(outcome: BenchOutcome) -> str:
    return f"{outcome.case.task.task} {outcome.case.method}"


def _warnings(outcomes: Sequence[BenchOutcome]) -> Iterator[str]:
    """Yield what the critic reports of each line warn of, by kind."""
    for outcome in outcomes:
        kinds = Counter(
            text.partition(":")[0] for texts in outcome.warnings.values() for text in texts
        )
        for kind, count in kinds.items():
            share = f"{count} of {counted(len(outcome.runs), 'seed')}"
            yield f"{_name(outcome)}, critic report: {kind} ({share})."


def missing_notes(outcomes: Sequence[BenchOutcome]) -> Iterator[str]:
    """Yield which seeds are missing, and why."""
    for outcome in outcomes:
        for seed, why in outcome.missing.items():
            yield f"{_name(outcome)}, seed {seed} is missing: {why}."


def origin_notes(outcomes: Sequence[BenchOutcome]) -> Iterator[str]:
    """Yield by which version and on which machines the runs were made."""
    provenances = [
        record["provenance"] for outcome in outcomes for record in outcome.runs.values()
    ]
    for origin in dict.fromkeys(
        (p["version"], (p["commit"] or "unknown") + (" and changes" if p["dirty"] else ""),
         hardware_text(p["hardware"]))
        for p in provenances
    ):  # fmt: skip
        version, commit, hardware = origin
        yield f"Made by qipo_ray {version}, commit {commit}, on {hardware}."


def plain(outcomes: Sequence[BenchOutcome]) -> dict[str, Any]:
    """Return all numbers as JSON holds them."""
    return {"met": met(outcomes), "lines": [_plain(outcome) for outcome in outcomes]}


def met(outcomes: Sequence[BenchOutcome]) -> bool:
    """Return whether every number was reached."""
    return all(r.met for outcome in outcomes for r in outcome.requirements())


def _plain(outcome: BenchOutcome) -> dict[str, Any]:
    case, mean = outcome.case, outcome.mean
    gains, greedy, cloned = outcome.gains, outcome.greedy, outcome.cloned
    return {
        "task": case.task.task,
        "method": case.method,
        "preset": case.preset,
        "config_hash": config_hash(case.config),
        "mean": None if mean is None else mean.value,
        "interval": [mean.interval.low, mean.interval.high] if mean and mean.interval else None,
        "seeds": [
            {
                "seed": seed,
                "record": record["id"],
                "gain": gains[seed],
                "behaviour_cloning": cloned[seed],
                "best_of_16_gain": greedy.get(seed),
                "cpu_s": record["cost"].get("cpu_s"),
                "warnings": outcome.warnings.get(seed, []),
            }
            for seed, record in outcome.runs.items()
        ],
        "missing": [{"seed": seed, "reason": why} for seed, why in outcome.missing.items()],
        "demands": [
            {"what": r.name, "seen": r.reached, "met": r.met} for r in outcome.requirements()
        ],
    }
