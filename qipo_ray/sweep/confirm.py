"""Confirm: chosen configurations retrained on the report seeds, which the search never saw.

Only these runs enter the leaderboard's table. Confirm shares no job with the search: its seeds are
others, and the seed is in every key. Within one report seed, equal keys are one job.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from qipo_ray.store.records import write_record
from qipo_ray.study.job import CheckpointRef, Run
from qipo_ray.study.job_events import JobEvent
from qipo_ray.study.selection import SelectedConfig
from qipo_ray.sweep.search_state import SearchState
from qipo_ray.train.run_record import RunContext, build_record, record_id
from qipo_ray.train.training_service import TrainingService

SUBSCRIBER = "confirm"


@dataclass(frozen=True)
class Confirmation:
    """One run of the confirm step."""

    choice: SelectedConfig
    run: Run
    occasion: RunContext

    @property
    def record_id(self) -> str:
        """The id of its record."""
        return record_id(self.run, self.occasion)


def confirmations(search: SearchState) -> list[Confirmation]:
    """Return the runs of the confirm step, seed by seed."""
    runs = []
    choices = search.select_configs()
    for seed in search.spec.report_seeds:
        for choice in choices:
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


def confirm(search: SearchState, runs: list[Confirmation], service: TrainingService) -> None:
    """Train the runs that have no record yet and write their records as they end."""
    waiting = {c.run.jobs[-1].snapshot: c for c in runs if c.record_id not in search.records}
    if not waiting:
        return
    service.submit(SUBSCRIBER, [job for c in waiting.values() for job in c.run.jobs])
    try:
        while waiting:
            for report in service.poll(SUBSCRIBER):
                for snapshot in _ended(report, waiting):
                    _write(search, waiting.pop(snapshot), report)
    finally:
        service.cancel(SUBSCRIBER)


def _ended(
    report: JobEvent, waiting: dict[CheckpointRef, Confirmation]
) -> Iterator[CheckpointRef]:
    if report.kind in ("finished", "diverged", "failed") and report.snapshot in waiting:
        yield report.snapshot


def _write(search: SearchState, one: Confirmation, report: JobEvent) -> None:
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
