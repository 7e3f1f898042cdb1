"""What the views share: how a configuration is named, and what a caption must say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from qipo_ray.leaderboard.aggregate import LESS_IS_BETTER, Aggregate, leaders
from qipo_ray.leaderboard.rows import Method, Row, Setting
from qipo_ray.leaderboard.tables import VALUE, Column, Score

METRIC = "D4RL-normalised score: 0 and 100 are the task's two reference returns, more is better"
BOLD = (
    "Bold: inside the 95 % interval of the best of its {}. Intervals, in brackets, are bootstraps"
    " over training seeds; below five seeds they are too narrow."
)
GENERATED = "Generated data: not comparable with published scores on D4RL's own files."
STATISTIC_COLUMNS = (
    Column("mean", "mean", parts=VALUE),
    Column("iqm", "interquartile mean", parts=VALUE),
    Column("median", "median", "document", parts=VALUE),
    Column("gap", "optimality gap", "document", parts=VALUE),
)
STATISTIC_NOTE = (
    "Mean, and median over tasks, of the tasks' means; interquartile mean of all runs without the"
    " lowest and highest quarter; optimality gap: by how much scores, cut at 100, fall short of"
    " 100 (less is better). Each task weighs the same."
)


def protocol(setting: Setting, rows: Iterable[Row]) -> str:
    """Return the sentences that say how the numbers of a table were measured."""
    seeds = sorted({seed for row in rows for seed in row.seeds})
    actions = "one action" if setting.best_of == 1 else f"the best of {setting.best_of} actions"
    clipped = "clipped to [-1, 1]" if setting.clip else "not clipped"
    return (
        f"over training seeds ({_listed(seeds)}). Protocol: {setting.episodes} episodes per run,"
        f" environment seeds {setting.env_seeds}, {actions} per state, {clipped}."
    )


def configuration(method: Method) -> str | None:
    """Return what people call a configuration: its name, else the start of its hash."""
    return method.preset or (method.config or "")[:8] or None


def over_tasks(found: Sequence[Aggregate], key: str) -> list[Score]:
    """Return one statistic of aggregates of one scope, those that lead in bold."""
    contenders = [one for one in found if one.contends]
    least = key in LESS_IS_BETTER
    lead = leaders([one.estimates[key] for one in contenders], less=least)
    bold = {id(one): leads for one, leads in zip(contenders, lead, strict=True)}
    return [
        Score(
            one.estimates[key].value,
            interval=one.estimates[key].interval,
            bold=bold.get(id(one), False),
        )
        for one in found
    ]


def seeds_text(rows: Iterable[Row]) -> str | None:
    """Return how many seeds each task has: ``5``, or ``3–5``; None for the data themselves."""
    counts = sorted({len(row.seeds) for row in rows if row.seeds})
    return "–".join(map(str, dict.fromkeys((counts[0], counts[-1])))) if counts else None


def aggregate_notes(found: Sequence[Aggregate], doubled: Sequence[str]) -> list[str]:
    """Return what must be said below configurations over several tasks."""
    notes = [STATISTIC_NOTE]
    if any(one.tuned for one in found if one.rows[0].method.kind == "qipo"):
        notes.append("One name may stand for another configuration on each task: tuned there.")
    if not all(one.whole for one in found):
        notes.append("A line that misses tasks does not compare with the others: never in bold.")
    for task in doubled:
        notes.append(f"{task}: measured twice in ways not to be averaged; not in this table.")
    return notes


def _listed(seeds: Sequence[int]) -> str:
    """Return ``0, 1, 2``; the ends of longer ones."""
    if len(seeds) <= 12:
        return ", ".join(map(str, seeds))
    return f"{len(seeds)} from {seeds[0]} to {seeds[-1]}"
