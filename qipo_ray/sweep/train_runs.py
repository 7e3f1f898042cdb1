"""Runs of one configuration over seeds, from a data set to records: the `train` command's work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qipo_ray.config import Config, config_hash
from qipo_ray.data.transitions import Dataset
from qipo_ray.errors import UserError
from qipo_ray.store.driver import driving
from qipo_ray.store.records import read_records, write_record
from qipo_ray.study.job import Run
from qipo_ray.study.job_events import JobEvent
from qipo_ray.tracking.dispatcher import LogDispatcher
from qipo_ray.tracking.loggers import LoggedRun
from qipo_ray.train.job_graph import JobGraph
from qipo_ray.train.job_store import JobStore
from qipo_ray.train.local_executor import execute
from qipo_ray.train.run_record import RunContext, build_record, record_id


@dataclass(frozen=True)
class RunPlan:
    """What is to be done: runs without a record, and the graph of their jobs."""

    root: Path
    dataset: Dataset
    occasion: RunContext
    runs: tuple[Run, ...]  # all
    missing: tuple[Run, ...]  # those without a record
    graph: JobGraph


def plan(
    dataset: Dataset, config: Config, seeds: Sequence[int], root: Path, occasion: RunContext
) -> RunPlan:
    """Return the plan of a configuration over ``seeds`` with results under ``root``."""
    runs = tuple(
        Run(dataset.task_id, config, seed, str(dataset.path.resolve()), dataset.sha256)
        for seed in seeds
    )
    folder = root / "records"  # those of this folder alone: it may contain other results
    known = {one["id"]: one for one in read_records(folder)} if folder.exists() else {}
    missing = tuple(run for run in runs if record_id(run, occasion) not in known)
    for run in runs:
        _check_data(known.get(record_id(run, occasion)), run, root)
    graph = JobGraph(JobStore(root))
    for run in missing:
        for job in run.jobs:
            graph.add(job, f"seed {run.seed}")
    reused = frozenset(snapshot.key for snapshot in graph.done)
    return RunPlan(root, dataset, replace(occasion, reused=reused), runs, missing, graph)


def _check_data(record: dict[str, Any] | None, run: Run, root: Path) -> None:
    """Refuse to take a run on other data for this one."""
    if record is not None and record["data"]["sha256"] != run.data_sha256:
        raise UserError(
            f"{root} holds this run on other data (SHA-256 {record['data']['sha256'][:12]}..., "
            f"{run.data} has {run.data_sha256[:12]}...); choose another --results"
        )


def train_runs(
    plan: RunPlan,
    processes: int,
    listen: Callable[[JobEvent], None],
    device: str = "cpu",
    services: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Train what the plan lacks, write its records and event files, and return the records.

    A run that diverged gets a record with state ``diverged`` and the reason. ``services`` show
    the runs beside TensorBoard. ``LeaseHeld`` if another process trains in the same folder.
    """
    with driving(plan.root):
        return _carry_out(plan, processes, listen, device, services)


def _carry_out(
    plan: RunPlan,
    processes: int,
    listen: Callable[[JobEvent], None],
    device: str,
    services: Sequence[str],
) -> list[dict[str, Any]]:
    relays = LogDispatcher(plan.root, services)
    for run in plan.missing:
        relays.follow(_shown(plan, run))

    def told(report: JobEvent) -> None:
        relays.heard([report])
        listen(report)

    try:
        execute(plan.graph, plan.root, processes, told, device)
        return [_record(plan, run) for run in plan.missing]
    finally:
        relays.close()


def _shown(plan: RunPlan, run: Run) -> LoggedRun:
    """Return a run's name: unlike a record's id, it tells runs on other data apart."""
    name = f"{plan.occasion.name}-{config_hash(run.config)[:8]}-data-{run.data_sha256[:8]}"
    return LoggedRun(plan.root, (run.task, name, f"seed-{run.seed}"), run)


def _record(plan: RunPlan, run: Run) -> dict[str, Any]:
    graph, policy = plan.graph, run.jobs[-1]
    reason = graph.failure_reason(policy.snapshot)
    if reason is None:
        record = build_record(run, plan.dataset, graph.results, plan.occasion)
    else:
        failed = graph.results.divergence(policy)
        record = build_record(
            run,
            plan.dataset,
            graph.results,
            plan.occasion,
            state="diverged",
            reason=reason,
            reached=failed["updates"] if failed else 0,
        )
    write_record(plan.root, record)
    return record
