"""Runs of one configuration over seeds, from a data set to records: the `train` command's work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qipo_ray.config import Config, config_hash
from qipo_ray.data.transitions import Dataset
from qipo_ray.store.records import read_records, write_record
from qipo_ray.train.graph import JobGraph
from qipo_ray.train.job import Run
from qipo_ray.train.local import execute
from qipo_ray.train.record import Occasion, build_record, record_id
from qipo_ray.train.report import Report
from qipo_ray.train.results import Results
from qipo_ray.train.tensorboard import RunMirror


@dataclass(frozen=True)
class Plan:
    """What is to be done: runs without a record, and the graph of their jobs."""

    root: Path
    dataset: Dataset
    occasion: Occasion
    runs: tuple[Run, ...]  # all
    missing: tuple[Run, ...]  # those without a record
    graph: JobGraph


def plan(
    dataset: Dataset, config: Config, seeds: Sequence[int], root: Path, occasion: Occasion
) -> Plan:
    """Return the plan of a configuration over ``seeds`` with results under ``root``."""
    runs = tuple(
        Run(dataset.task_id, config, seed, str(dataset.path.resolve()), dataset.sha256)
        for seed in seeds
    )
    known = {record["id"] for record in read_records(root)} if root.exists() else set()
    missing = tuple(run for run in runs if record_id(run, occasion) not in known)
    graph = JobGraph(Results(root))
    for run in missing:
        for job in run.jobs:
            graph.add(job, f"seed {run.seed}")
    reused = frozenset(snapshot.key for snapshot in graph.done)
    return Plan(root, dataset, replace(occasion, reused=reused), runs, missing, graph)


def carry_out(
    plan: Plan, processes: int, listen: Callable[[Report], None]
) -> list[dict[str, Any]]:
    """Train what the plan lacks, write its records and event files, and return the records.

    A run that diverged gets a record with state ``diverged`` and the reason.
    """
    results = plan.graph.results
    mirrors = [RunMirror(_events(plan, run), run, results) for run in plan.missing]

    def told(report: Report) -> None:
        for run, mirror in zip(plan.missing, mirrors, strict=True):
            if report.snapshot in {job.snapshot for job in run.jobs}:
                mirror.sync()
        listen(report)

    try:
        execute(plan.graph, plan.root, processes, told)
        return [_record(plan, run) for run in plan.missing]
    finally:
        for mirror in mirrors:
            mirror.close()


def _events(plan: Plan, run: Run) -> Path:
    name = f"{plan.occasion.name}-{config_hash(run.config)[:8]}"
    return plan.root / "tensorboard" / run.task / name / f"seed-{run.seed}"


def _record(plan: Plan, run: Run) -> dict[str, Any]:
    graph, policy = plan.graph, run.jobs[-1]
    reason = graph.reason_lost(policy.snapshot)
    if reason is None:
        record = build_record(run, plan.dataset, graph.results, plan.occasion)
    else:
        lost = graph.results.divergence(policy)
        record = build_record(
            run,
            plan.dataset,
            graph.results,
            plan.occasion,
            state="diverged",
            reason=reason,
            reached=lost["updates"] if lost else 0,
        )
    write_record(plan.root, record)
    return record
