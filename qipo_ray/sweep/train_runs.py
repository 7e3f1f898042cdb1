"""Runs of one configuration over seeds, from a data set to records: the `train` command's work.

It is the confirm step with a configuration that the user gives, on this machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qipo_ray.config import Config, config_hash
from qipo_ray.data.tasks import physics
from qipo_ray.data.transitions import Dataset
from qipo_ray.errors import Failure, UserError
from qipo_ray.store.lease import driving
from qipo_ray.store.mirror import pull
from qipo_ray.store.records import read_records
from qipo_ray.study.job import CheckpointRef, Job, Run
from qipo_ray.study.job_events import JobEvent
from qipo_ray.study.trial import TrialState
from qipo_ray.sweep.confirm import train_to_end
from qipo_ray.sweep.run_recorder import PlannedRun, RunRecorder
from qipo_ray.tracking.dispatcher import LogDispatcher
from qipo_ray.tracking.loggers import LoggedRun
from qipo_ray.train.job_store import JobStore
from qipo_ray.train.local_service import LocalTrainingService
from qipo_ray.train.run_record import RunContext
from qipo_ray.train.training_service import ObservedService


@dataclass(frozen=True)
class TrainPlan:
    """What is to be trained: runs without a record, and their jobs."""

    root: Path
    dataset: Dataset
    runs: tuple[PlannedRun, ...]  # all
    missing: tuple[PlannedRun, ...]  # those without a record
    jobs: dict[CheckpointRef, Job]  # of the missing runs
    done: frozenset[CheckpointRef]  # jobs that are in the store


def plan_runs(
    dataset: Dataset, config: Config, seeds: Sequence[int], root: Path, context: RunContext
) -> TrainPlan:
    """Return the plan of a configuration over ``seeds`` with results under ``root``."""
    data = dataset.place
    runs = tuple(
        PlannedRun(
            Run(
                dataset.task_id,
                config,
                seed,
                data,
                dataset.sha256,
                own_task=dataset.own_task,
            ),
            context,
        )
        for seed in seeds
    )
    folder = root / "records"  # those of this folder alone: it may contain other results
    records = {r["id"]: r for r in read_records(folder)} if folder.exists() else {}
    for planned in runs:
        _check_same(records.get(planned.record_id), planned.run, root)
    missing = tuple(planned for planned in runs if planned.record_id not in records)
    jobs = {job.snapshot: job for planned in missing for job in planned.run.jobs}
    job_store = JobStore(root)
    done = frozenset(ref for ref, job in jobs.items() if job_store.done(job))
    context = replace(context, reused=frozenset(ref.key for ref in done))
    missing = tuple(replace(planned, context=context) for planned in missing)
    return TrainPlan(root, dataset, runs, missing, jobs, done)


def _check_same(record: dict[str, Any] | None, run: Run, root: Path) -> None:
    """Refuse to take a run on other data, or scored in another simulator, for this one."""
    if record is None:
        return
    then, now = record["protocol"].get("physics", 1), physics(run.task)
    if then != now:
        raise UserError(
            f"{root} holds this run scored in physics {then} of its simulator, which now has "
            f"physics {now}; choose another --results"
        )
    if record["data"]["sha256"] != run.data_sha256:
        raise UserError(
            f"{root} holds this run on other data (SHA-256 {record['data']['sha256'][:12]}..., "
            f"{run.data} has {run.data_sha256[:12]}...); choose another --results"
        )


def train_runs(
    plan: TrainPlan,
    processes: int,
    on_event: Callable[[JobEvent], None],
    device: str = "cpu",
    services: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Train what the plan lacks, write its records and event files, and return the records.

    A run that diverged gets a record with state ``diverged`` and the reason. ``services`` show
    the runs beside TensorBoard. ``LeaseHeld`` if another process trains in the same folder,
    ``Failure`` if a job fails or its processes died too often.
    """
    recorder = RunRecorder(plan.root, {plan.dataset.task_id: plan.dataset}, {})

    def record(planned: PlannedRun, event: JobEvent) -> None:
        if event.kind == "failed":
            raise Failure(event.reason)
        if event.kind == "lost":
            raise Failure(
                f"seed {planned.run.seed} was lost ({event.reason}); the same command goes on"
            )
        recorder.write(planned, TrialState(event.kind), event.reason or None, event.updates)

    with driving(plan.root):
        dispatcher = LogDispatcher(plan.root, services)
        for planned in plan.missing:
            dispatcher.follow(_logged(plan, planned))

        def observe(events: list[JobEvent]) -> None:
            dispatcher.dispatch(events)
            for event in events:
                on_event(event)

        try:
            with LocalTrainingService(plan.root, processes, device) as service:
                train_to_end(plan.missing, ObservedService(service, observe), record)
        finally:
            dispatcher.close()
    pull(plan.root)
    return [recorder.records[planned.record_id] for planned in plan.missing]


def _logged(plan: TrainPlan, planned: PlannedRun) -> LoggedRun:
    """Return a run's name: unlike a record's id, it tells runs on other data apart."""
    run, context = planned.run, planned.context
    name = f"{context.name}-{config_hash(run.config)[:8]}-data-{run.data_sha256[:8]}"
    return LoggedRun(plan.root, (run.task, name, f"seed-{run.seed}"), run)
