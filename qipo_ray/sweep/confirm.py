"""Confirm: chosen configurations retrained on the report seeds, which the search never saw.

Only these runs enter the leaderboard's table. Confirm shares no job with the search: its seeds are
others, and the seed is in every key. Within one report seed, equal keys are one job.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from qipo_ray.config import PATHS, Config
from qipo_ray.leaderboard import PAPER
from qipo_ray.store.records import write_record
from qipo_ray.sweep.search import Search
from qipo_ray.train.job import Run, Snapshot
from qipo_ray.train.record import Occasion, build_record, record_id
from qipo_ray.train.report import Report
from qipo_ray.train.service import Service

WAITER = "confirm"


@dataclass(frozen=True)
class Choice:
    """A configuration to confirm, and how it was chosen."""

    task: str
    config: Config
    name: str
    trial: str | None
    selection_episodes: int


def choices(search: Search) -> list[Choice]:
    """Return per task the paper's configuration, then the top k others of each path.

    Behaviour cloning needs no run of its own: every run scores the behaviour model that it builds
    on. A path without a trial at the last rung is represented by the one that came furthest.
    """
    chosen = []
    for task in search.spec.tasks:
        if search.spec.paper is not None:
            chosen.append(Choice(task, search.spec.paper, PAPER, _trial(search, task), 0))
        episodes = search.selection_episodes(task)
        ranking = search.ranking(task)
        for path in PATHS:
            best = [
                trial
                for trial in ranking
                if trial.config.behaviour.path == path and trial.origin != "paper"
            ]
            for rank, trial in enumerate(best[: search.spec.top], start=1):
                name = f"search, best {rank}" if search.spec.top > 1 else "search, best"
                chosen.append(Choice(task, trial.config, name, trial.id, episodes))
    return chosen


def _trial(search: Search, task: str) -> str | None:
    """Return the trial of the paper's configuration, if the search ran it."""
    paper = [t.id for t in search.trials.values() if t.task == task and t.origin == "paper"]
    return paper[0] if paper else None


@dataclass(frozen=True)
class Confirmation:
    """One run of the confirm step."""

    choice: Choice
    run: Run
    occasion: Occasion

    @property
    def record_id(self) -> str:
        """The id of its record."""
        return record_id(self.run, self.occasion)


def confirmations(search: Search) -> list[Confirmation]:
    """Return the runs of the confirm step, seed by seed."""
    runs = []
    for seed in search.spec.report_seeds:
        for choice in choices(search):
            source = search.source(choice.task)
            occasion = replace(
                search.occasion,
                purpose="confirm",
                trial=choice.trial,
                name=choice.name,
                selection_episodes=choice.selection_episodes,
            )
            run = Run(choice.task, choice.config, seed, source.path, source.sha256)
            runs.append(Confirmation(choice, run, occasion))
    return runs


def confirm(search: Search, runs: list[Confirmation], service: Service) -> None:
    """Train the runs that have no record yet and write their records as they end."""
    waiting = {c.run.jobs[-1].snapshot: c for c in runs if c.record_id not in search.records}
    if not waiting:
        return
    service.want(WAITER, [job for c in waiting.values() for job in c.run.jobs])
    try:
        while waiting:
            for report in service.news(WAITER):
                for snapshot in _ended(report, waiting):
                    _write(search, waiting.pop(snapshot), report)
    finally:
        service.forget(WAITER)


def _ended(report: Report, waiting: dict[Snapshot, Confirmation]) -> Iterator[Snapshot]:
    if report.kind in ("finished", "diverged", "failed") and report.snapshot in waiting:
        yield report.snapshot


def _write(search: Search, one: Confirmation, report: Report) -> None:
    record = build_record(
        one.run,
        search.datasets[one.run.task],
        search.results,
        one.occasion,
        state=report.kind,
        reason=report.reason or None,
        reached=report.updates,
    )
    write_record(search.root, record)
    search.records[record["id"]] = record
    last = record["final"]["last"]
    score = f"score {last['normalised']:.1f}" if last else report.reason
    search.say(
        f"{one.run.task} confirmed {record['label']['method']} ({one.choice.name}), "
        f"seed {one.run.seed}: {score}"
    )
