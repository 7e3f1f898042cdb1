"""``qipo-ray sweep``: search, confirm and leaderboard, on Ray or in this process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch

from qipo_ray.cli import output as out
from qipo_ray.cli.buckets import results_root
from qipo_ray.cli.prepare import check, curves_line, dataset_of, run_context, writable
from qipo_ray.cli.score_tables import print_leaderboard
from qipo_ray.data.transitions import Dataset
from qipo_ray.errors import UserError, nearest
from qipo_ray.store.records import SKIPPED
from qipo_ray.study.search_file import find_search_file, load_search_file
from qipo_ray.study.search_spec import SearchSpec
from qipo_ray.sweep.executors import count_processes
from qipo_ray.sweep.hours import Budget, budget_of, limit_of
from qipo_ray.sweep.plan import Plan, plan_sweep
from qipo_ray.sweep.run import Options, check_start, run_sweep
from qipo_ray.tracking.loggers import parse_services
from qipo_ray.train.probe import probe

# Folders in results: tables leave them out, or `train` has them there.
RESERVED = SKIPPED | {"driver", "records"}


def sweep(
    file: str,
    tasks: list[str] | None,
    data: list[str] | None,
    changes: list[str] | None,
    space: list[str] | None,
    trials: int | None,
    objective: str | None,
    report_seeds: str | None,
    results: Path,
    executor: str,
    address: str | None,
    insecure: bool,
    at_once: int | None,
    extend: bool,
    hours: float | None,
    gpu_hours: float | None,
    log: str | None,
    private: bool,
    json: bool,
    plan: bool,
) -> None:
    """Carry out a search file, confirm the best, and print the leaderboard."""
    chosen = executor_named(executor)
    _refuse_lost_results(results)
    spec, datasets = read_sweep(
        file, tasks, data, changes, space, trials, objective=objective, report_seeds=report_seeds
    )
    services = parse_services(log)
    root = results_root(results) / spec.name
    budget = budget_here(spec, datasets, hours, gpu_hours, root)
    options = Options(chosen, extend, address, at_once, services, insecure, budget)
    check_start(options, spec, root)
    root = writable(root, private=private)

    context = run_context(spec.name, "search")
    with out.live(f"sweep {spec.name}") as live:
        board = run_sweep(spec, root, datasets, context, options, live)
    if json:
        out.write(board.document("json"))
        return
    print_leaderboard(board)
    out.remark(f"tables: {root / 'leaderboard'}")
    out.remark(curves_line(root))


def read_sweep(
    file: str,
    tasks: Sequence[str] | None = None,
    data: Sequence[str] | None = None,
    changes: Sequence[str] | None = None,
    space: Sequence[str] | None = None,
    trials: int | None = None,
    *,
    objective: str | None = None,
    report_seeds: str | None = None,
) -> tuple[SearchSpec, dict[str, Dataset]]:
    """Return what a search file asks for, and the data of its tasks, both checked."""
    spec = load_search_file(
        find_search_file(file),
        tasks=tasks or None,
        data=data or [],
        sets=changes or [],
        space=space or [],
        trials=trials,
        objective=objective,
        report_seeds=report_seeds,
    )
    if spec.name in RESERVED:
        raise UserError(
            f"{spec.source}: name: {spec.name!r} is the name of a folder inside results, so "
            "tables would leave the sweep out; choose another name"
        )
    datasets = {
        task: dataset_of(spec.task_facts(task), spec.data.get(task)) for task in spec.tasks
    }
    for task, dataset in datasets.items():
        beside = [baseline.config for baseline in spec.baselines]
        for config in (spec.base, *([spec.paper] if spec.paper else []), *beside):
            check(spec.task_facts(task), config, dataset)
    return spec, datasets


def plan_here(spec: SearchSpec, datasets: dict[str, Dataset]) -> Plan:
    """Return the plan of a sweep by probes on this machine."""
    return plan_sweep(spec, datasets, lambda run: probe(run, device_of(spec)))


def budget_here(
    spec: SearchSpec,
    datasets: dict[str, Dataset],
    hours: float | None,
    gpu_hours: float | None,
    root: Path,
) -> Budget | None:
    """Return the budget of a sweep with as many processes as this machine has; None: no end."""
    limit = limit_of(hours, gpu_hours, spec.resources)
    if limit is None:
        return None
    return budget_of(plan_here(spec, datasets), limit, count_processes(spec.resources), root)


def executor_named(executor: str) -> Literal["local", "ray"]:
    """Return what carries a sweep out; ``UserError`` with the nearest if there is no such."""
    if executor not in ("ray", "local"):
        hint = nearest(executor, ("ray", "local"))
        raise UserError(f"--executor {executor!r}{hint}: expected ray or local")
    return "local" if executor == "local" else "ray"


def device_of(spec: SearchSpec) -> str:
    """Return what a sweep is probed on: a GPU if it trains on some and there is one here."""
    return "cuda" if spec.resources.gpus and torch.cuda.is_available() else "cpu"


def _refuse_lost_results(results: Path) -> None:
    """Refuse a relative folder inside of a Ray job, whose working directory vanishes."""
    if "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ and not results.expanduser().is_absolute():
        raise UserError(
            f"--results {results}: inside a Ray job a relative path lies in a folder that "
            "vanishes with the job; give an absolute path that all machines share"
        )
