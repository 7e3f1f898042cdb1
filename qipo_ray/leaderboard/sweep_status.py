"""How a sweep stands now, for any shell: who drives it, its trials, its best, the time left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qipo_ray.leaderboard.board import from_records
from qipo_ray.leaderboard.rows import Record, Row
from qipo_ray.leaderboard.statistics.spread import Spread, spread
from qipo_ray.leaderboard.trial_list import ListedTrial, listed_trials, sweep_spec
from qipo_ray.store.lease import Holder, driver
from qipo_ray.store.news import News, read_news
from qipo_ray.store.records import read_records
from qipo_ray.study.objective import plain


@dataclass(frozen=True)
class BestTrial:
    """The trial that leads the search of a task."""

    trial: ListedTrial
    score: Spread | None  # over the search seeds at its last rung; None before it has ended


@dataclass(frozen=True)
class TaskStatus:
    """The search of one task, and what of it was confirmed."""

    task: str
    planned: int
    states: Mapping[str, int]  # trials by state
    best: BestTrial | None
    confirmed: Row | None  # the best row that was trained on report seeds
    runs: int  # confirmed


@dataclass(frozen=True)
class SweepStatus:
    """A sweep as its folder has it; ``news`` are what its driver said last, if one lives."""

    name: str
    driver: Holder | None
    news: News | None
    tasks: tuple[TaskStatus, ...]

    def document(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "sweep": self.name,
            "driver": None if self.driver is None else asdict(self.driver),
            "news": None if self.news is None else asdict(self.news),
            "tasks": [_plain(task) for task in self.tasks],
        }


def sweep_status(root: Path) -> SweepStatus:
    """Return how the sweep at ``root`` stands; ``UserError`` if there is none. Nothing changes."""
    spec, listed = sweep_spec(root), listed_trials(root)
    records: Sequence[Record] = read_records(root)
    rows = from_records(records).rows
    holder, news = driver(root), read_news(root)
    return SweepStatus(
        spec.name,
        holder,
        news if holder is not None else None,
        tuple(_task(task, spec.trials, listed, records, rows) for task in spec.tasks),
    )


def _task(
    task: str,
    planned: int,
    listed: Sequence[ListedTrial],
    records: Sequence[Record],
    rows: Sequence[Row],
) -> TaskStatus:
    trials = [trial for trial in listed if trial.task == task]
    scored = [trial for trial in trials if trial.score is not None and not trial.state.broken]
    first = min(scored, key=lambda trial: trial.rank, default=None)
    reported = [row for row in rows if (row.method.task, row.method.kind) == (task, "run")]
    confirmed = [r for r in records if (r["task"], r["purpose"]) == (task, "confirm")]
    return TaskStatus(
        task=task,
        planned=planned,
        states=Counter(trial.state.value for trial in trials),
        best=None if first is None else BestTrial(first, _spread(first, records)),
        confirmed=max(reported, key=lambda row: row.last.mean, default=None),
        runs=len(confirmed),
    )


def _spread(trial: ListedTrial, records: Sequence[Record]) -> Spread | None:
    """Return the scores at the last rung of a trial that has ended, over its seeds."""
    scores = [
        score["normalised"]
        for record in records
        if record["id"] in trial.records
        for score in record["scores"][-1:]
        if score["normalised"] is not None
    ]
    return spread(scores) if len(scores) == len(trial.seeds) else None


def _plain(task: TaskStatus) -> dict[str, Any]:
    best, row = task.best, task.confirmed
    return {
        "task": task.task,
        "trials_planned": task.planned,
        "trials": dict(task.states),
        "best": best
        and {
            "trial": best.trial.id,
            "settings": dict(best.trial.params),
            "objective": best.trial.objective,
            "score": plain(best.trial.objective, best.trial.score),
            "rung": len(best.trial.values),
            "rungs": len(best.trial.rungs),
            "std": best.score and best.score.std,
        },
        "confirmed_runs": task.runs,
        "confirmed": row
        and {
            "method": row.method.name,
            "configuration": row.method.preset,
            "score": row.last.mean,
            "std": row.last.std,
            "seeds": row.last.count,
        },
    }
