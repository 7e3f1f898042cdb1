"""What the views share: the columns of the protocol, and what captions and notes must say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from qipo_ray.data.tasks import RAW_RETURNS
from qipo_ray.leaderboard.aggregate import (
    LESS_IS_BETTER,
    Aggregate,
    leading,
    row_estimates,
)
from qipo_ray.leaderboard.rows import EvalSetting, Row
from qipo_ray.leaderboard.statistics.bootstrap import Estimate
from qipo_ray.leaderboard.tables import VALUE, Cell, Column, Score

METRIC = "D4RL-normalised score: 0 and 100 are the task's two reference returns, more is better"
RAW = f"{RAW_RETURNS}, not normalised; more is better".capitalize()
SUCCESS = "Success rate in %, more is better"
BOLD = (
    "Bold: inside the 95 % interval of the best of its {}; nothing is, where the best has a single"
    " seed and so no interval. Intervals{} are bootstraps over training seeds; below"
    " five seeds they are too narrow."
)
BRACKETS = ", in brackets,"
UNSEEN = ", which its files hold (--output FOLDER),"  # where a terminal has no room for them
GENERATED = "Generated data: not comparable with published scores on D4RL's own files."
NAMES = (
    Column("method", "method"),
    Column("name", "configuration"),
    Column("departures", "departures", lettered=True),
)
PROTOCOL = (
    Column("episodes", "episodes", "document"),
    Column("sampler", "sampler", "document"),
    Column("steps", "evaluations per action", "document"),
    Column("selection_episodes", "selection episodes", "document"),
    Column("source", "source", "file"),
    Column("dataset", "dataset SHA-256", "file"),
    Column("config", "configuration hash", "file"),
    Column("seed_list", "training seeds", "file"),
    Column("env_seeds", "environment seeds", "file"),
    Column("best_of", "actions drawn per state", "file"),
    Column("clip", "actions clipped", "file"),
    Column("data_notes", "notes on the data", "file"),
)
AGGREGATE_PROTOCOL = (
    Column("seeds", "seeds"),
    Column("task_list", "tasks by name", "file"),  # in the order of datasets and hashes
    *PROTOCOL,
)
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
SELECTION_NOTE = "Selection episodes: those of all tasks of a line together."
MISSING_NOTE = "A line that misses tasks does not compare with the others: never in bold."


def metric(setting: EvalSetting) -> str:
    """Return what the numbers of a table are."""
    if setting.by_success:
        return SUCCESS
    return RAW if setting.raw else METRIC


def protocol(setting: EvalSetting, rows: Sequence[Row]) -> str:
    """Return the sentences that say how the numbers of a table were measured."""
    seeds = sorted({seed for row in rows for seed in row.seeds})
    drawn = sorted({row.method.best_of for row in rows if row.method.kind != "data"})
    texts = ["one action" if count == 1 else f"the best of {count} actions" for count in drawn]
    actions = " or ".join(texts or ["one action"])
    clipped = "clipped to [-1, 1]" if setting.clip else "not clipped"
    return (
        f"over training seeds ({_listed(seeds)}). Protocol: {setting.episodes} episodes per run,"
        f" environment seeds {setting.env_seeds}, {actions} per state, {clipped}."
    )


def last_checkpoint(
    setting: EvalSetting, rows: Sequence[Row], spread: str = "sample standard deviation"
) -> str:
    """Return the caption of a table of last scores, with what stands behind ±."""
    return f"{metric(setting)}. Last checkpoint, mean ± {spread} {protocol(setting, rows)}"


def protocol_cells(rows: Sequence[Row]) -> dict[str, Cell]:
    """Return what the columns of the protocol hold for a line: a row, or one for each task.

    Selection episodes are those of all its tasks together.
    """
    method = rows[0].method
    setting = method.setting
    spent = [row.method.selection_episodes for row in rows]
    seeds = sorted({seed for row in rows for seed in row.seeds})
    return {
        "departures": _departures(rows),
        "episodes": _span([row.method.episodes for row in rows]),
        "sampler": method.sampler,
        "steps": method.steps,
        "selection_episodes": None if None in spent else sum(filter(None, spent)),
        "source": setting.source,
        "dataset": _joined(row.method.dataset for row in rows),
        "config": _joined(row.method.config for row in rows),
        "seed_list": _joined(seeds),
        "env_seeds": setting.env_seeds,
        "best_of": method.best_of,
        "clip": setting.clip,
        "data_notes": "; ".join(dict.fromkeys(note for row in rows for note in row.notes)) or None,
        "task_list": _joined(row.method.task for row in rows),
    }


def aggregate_cells(config: Aggregate) -> dict[str, Cell]:
    """Return what the columns of names and protocol hold for a configuration over tasks."""
    counts = [len(row.seeds) for row in config.rows if row.seeds]
    return {
        "method": config.method.name,
        "name": config.label,
        "seeds": str(_span(counts)) if counts else None,  # of the data themselves: none
        **protocol_cells(config.rows),
    }


def _departures(rows: Sequence[Row]) -> str | None:
    """Return the switches that leave the paper, and on how many tasks, if not on all."""
    counts = Counter(label for row in rows for label in row.method.departures)
    departures = [
        label if count == len(rows) else f"{label} (on {count} of {len(rows)} tasks)"
        for label, count in counts.items()
    ]
    return ", ".join(departures) or ("none" if rows[0].method.kind == "run" else None)


def data_notes(rows: Iterable[Row]) -> list[tuple[str, tuple[str, ...]]]:
    """Return every task that has notes on its data, with them."""
    return list(dict.fromkeys((row.method.task, row.notes) for row in rows if row.notes))


def data_note(task: str, notes: Sequence[str]) -> str:
    """Return the notes on a task's data as one sentence."""
    return f"{task}: {'; '.join(notes)}."


def row_scores(rows: Sequence[Row], estimates: Sequence[Estimate]) -> list[Score | None]:
    """Return the scores of rows that compare, the policies that lead in bold."""
    bold = leading(estimates, [row.method.kind != "data" for row in rows])
    return [
        Score.from_spread(row.last, estimate.interval, bold=leads)
        for row, estimate, leads in zip(rows, estimates, bold, strict=True)
    ]


def task_scores(task: str, configs: Sequence[Aggregate]) -> list[Score | None]:
    """Return the score of each configuration on one task, those that lead in bold."""
    by_task = [{row.method.task: row for row in config.rows}.get(task) for config in configs]
    rows = [row for row in by_task if row is not None]
    scores = iter(row_scores(rows, row_estimates(rows)))
    return [next(scores) if row else None for row in by_task]


def statistic_scores(configs: Sequence[Aggregate], key: str) -> list[Score]:
    """Return one statistic of configurations of one scope, those that lead in bold."""
    estimates = [config.estimates[key] for config in configs]
    competing = [config.competes for config in configs]
    bold = leading(estimates, competing, less=key in LESS_IS_BETTER)
    return [
        Score(estimate.value, interval=estimate.interval, bold=leads)
        for estimate, leads in zip(estimates, bold, strict=True)
    ]


def _span(numbers: Sequence[int]) -> int | str:
    """Return the number that all are, or ``low–high``."""
    low, high = min(numbers), max(numbers)
    return low if low == high else f"{low}–{high}"


def _joined(values: Iterable[object]) -> str | None:
    return " ".join(str(value) for value in values if value is not None) or None


def aggregate_notes(
    rows: Sequence[Row], configs: Sequence[Aggregate], doubled: Sequence[str]
) -> list[str]:
    """Return what must be said below configurations over several tasks."""
    notes = [STATISTIC_NOTE]
    if any(row.method.selection_episodes for row in rows):
        notes.append(SELECTION_NOTE)
    if any(config.tuned for config in configs if config.method.kind == "run"):
        notes.append("One name may stand for another configuration on each task: tuned there.")
    if not all(config.complete for config in configs):
        notes.append(MISSING_NOTE)
    for task in doubled:
        notes.append(f"{task}: measured twice in ways not to be averaged; not in this table.")
    if any(row.method.setting.source == "generated" for row in rows):
        notes.append(GENERATED)
    return notes + [data_note(task, texts) for task, texts in data_notes(rows)]


def _listed(seeds: Sequence[int]) -> str:
    """Return ``0, 1, 2``; the ends of longer ones."""
    if len(seeds) <= 12:
        return ", ".join(map(str, seeds))
    return f"{len(seeds)} from {seeds[0]} to {seeds[-1]}"
