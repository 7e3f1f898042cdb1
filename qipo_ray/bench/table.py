"""The benchmark's one table, for the terminal and as Markdown, and the same as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from qipo_ray.bench.outcome import BenchOutcome
from qipo_ray.config import config_hash
from qipo_ray.leaderboard.provenance import hardware_text
from qipo_ray.leaderboard.tables import VALUE, Cell, Column, Score, Table

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
        rows=tuple(_line(one) for one in outcomes),
        notes=(*NOTES, *_warnings(outcomes), *_missing(outcomes), *_origins(outcomes)),
    )


def _line(one: BenchOutcome) -> tuple[Cell, ...]:
    demands, mean = one.demands(), one.mean
    counted = [seconds for seconds in one.cpu_s if seconds is not None]
    return (
        one.case.task.task,
        one.case.method,
        "  ".join(f"{gain:+.1f}" for gain in one.gains.values()) or None,
        None if mean is None else Score(mean.value, interval=mean.interval),
        _mean(one.cloned),
        _mean(one.greedy),
        Score(max(counted)) if counted else None,
        "; ".join(f"{demand.what}: {demand.seen}" for demand in demands) or None,
        ("yes" if all(demand.met for demand in demands) else "NO") if demands else None,
    )


def _mean(values: Mapping[int, float]) -> Score | None:
    return Score(fmean(values.values())) if values else None


def _name(one: BenchOutcome) -> str:
    return f"{one.case.task.task} {one.case.method}"


def _warnings(outcomes: Sequence[BenchOutcome]) -> Iterator[str]:
    """Yield what the critic reports of each line warn of, by kind."""
    for one in outcomes:
        kinds = Counter(text.partition(":")[0] for said in one.warnings.values() for text in said)
        for kind, count in kinds.items():
            yield f"{_name(one)}, critic report: {kind} ({count} of {len(one.runs)} seeds)."


def _missing(outcomes: Sequence[BenchOutcome]) -> Iterator[str]:
    for one in outcomes:
        for seed, why in one.missing.items():
            yield f"{_name(one)}, seed {seed} is missing: {why}."


def _origins(outcomes: Sequence[BenchOutcome]) -> Iterator[str]:
    """Yield by which version and on which machines the runs were made."""
    made = [record["provenance"] for one in outcomes for record in one.runs.values()]
    for origin in dict.fromkeys(
        (p["version"], (p["commit"] or "unknown") + (" and changes" if p["dirty"] else ""),
         hardware_text(p["hardware"]))
        for p in made
    ):  # fmt: skip
        version, commit, hardware = origin
        yield f"Made by qipo_ray {version}, commit {commit}, on {hardware}."


def plain(outcomes: Sequence[BenchOutcome]) -> dict[str, Any]:
    """Return all numbers as JSON holds them."""
    return {"met": met(outcomes), "lines": [_plain(one) for one in outcomes]}


def met(outcomes: Sequence[BenchOutcome]) -> bool:
    """Return whether every number was reached."""
    return all(demand.met for one in outcomes for demand in one.demands())


def _plain(one: BenchOutcome) -> dict[str, Any]:
    case, mean = one.case, one.mean
    gains, greedy, cloned = one.gains, one.greedy, one.cloned
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
                "warnings": one.warnings.get(seed, []),
            }
            for seed, record in one.runs.items()
        ],
        "missing": [{"seed": seed, "reason": why} for seed, why in one.missing.items()],
        "demands": [vars(demand) for demand in one.demands()],
    }
