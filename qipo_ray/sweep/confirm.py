"""Confirm: chosen configurations trained again on the report seeds, which the search never saw.

Only these runs enter the leaderboard's table. Confirm shares no job with the search: its seeds are
others, and the seed is in every key. Within one report seed, equal keys are one job. The command
``train`` is this step with a configuration of the user's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from qipo_ray.errors import Failure
from qipo_ray.leaderboard.race import race_of
from qipo_ray.study.job import Run
from qipo_ray.study.job_events import JobEvent
from qipo_ray.study.selection import SelectedConfig
from qipo_ray.sweep.run_recorder import PlannedRun
from qipo_ray.sweep.search_state import SearchState
from qipo_ray.train.training_service import TrainingService

SUBSCRIBER = "confirm"


@dataclass(frozen=True)
class ConfirmRun(PlannedRun):
    """One run of the confirm step."""

    selected: SelectedConfig


def confirm_runs(search: SearchState) -> list[ConfirmRun]:
    """Return the runs of the confirm step, seed by seed: those that are known by now.

    More may follow when they have ended, where there is a race.
    """
    runs = []
    selected_configs = search.select_configs()
    race = race_of(search.spec, selected_configs, search.records)
    for seed in (*search.spec.report_seeds, *race.begun):
        for selected in selected_configs:
            if seed in race.begun and seed not in race.seeds[selected.contender]:
                continue
            dataset = search.dataset_ref(selected.task)
            context = replace(
                search.context,
                purpose=selected.purpose,
                trial=selected.trial,
                name=selected.name,
                selection_episodes=selected.selection_episodes,
            )
            run = Run(
                selected.task,
                selected.config,
                seed,
                dataset.path,
                dataset.sha256,
                own_task=dataset.own_task,
                at_end=selected.acting is not None,
            )
            if run.at_end:
                context = replace(context, reused=frozenset(job.key for job in run.jobs))
            runs.append(ConfirmRun(run, context, selected))
    return runs


def passes(runs: Iterable[ConfirmRun]) -> list[list[ConfirmRun]]:
    """Return the runs that train, then those of each way to act: these have the same jobs."""
    groups: dict[str | None, list[ConfirmRun]] = {None: []}
    for planned in runs:
        groups.setdefault(planned.selected.acting, []).append(planned)
    return list(groups.values())


def train_to_end(
    runs: Iterable[PlannedRun],
    service: TrainingService,
    on_end: Callable[[PlannedRun, JobEvent], None],
) -> None:
    """Train runs, and call ``on_end`` with each and with the event that ended its last job."""
    pending = {planned.run.jobs[-1].snapshot: planned for planned in runs}
    if not pending:
        return
    service.submit(SUBSCRIBER, [job for planned in pending.values() for job in planned.run.jobs])
    try:
        while pending:
            for event in service.poll(SUBSCRIBER):
                if event.ended and event.snapshot in pending:
                    on_end(pending.pop(event.snapshot), event)
    finally:
        service.cancel(SUBSCRIBER)


def confirm(search: SearchState, runs: Iterable[ConfirmRun], service: TrainingService) -> None:
    """Train the runs that have no record yet and write their records as they end.

    ``Failure`` if some were lost: the others have their records.
    """
    missing = [planned for planned in runs if planned.record_id not in search.records]
    lost = []

    def end(planned: PlannedRun, event: JobEvent) -> None:
        if event.kind == "lost":
            lost.append(event.reason)
        else:
            search.end_run(planned, event)

    train_to_end(missing, service, end)
    if lost:
        raise Failure(
            f"{len(lost)} of {len(missing)} confirmed runs were lost ({lost[0]}); "
            "the same command goes on with them"
        )
