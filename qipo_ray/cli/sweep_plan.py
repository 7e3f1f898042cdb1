"""``qipo-ray sweep --plan``: what a search file would do here, and what it would cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from qipo_ray.cli import output as out
from qipo_ray.cli.explain import TITLES, cells, entry
from qipo_ray.cli.sweep import device_of, plan_here, read_sweep
from qipo_ray.config import STAGES, ExplainedSetting
from qipo_ray.config import explain as explained
from qipo_ray.data.transitions import Dataset
from qipo_ray.leaderboard.tables import counted
from qipo_ray.study.search_spec import SearchSpec, flat, flow
from qipo_ray.sweep.executors import count_processes
from qipo_ray.sweep.memory_plan import memory_line
from qipo_ray.sweep.plan import Plan, TaskPlan
from qipo_ray.sweep.warm_start import with_prior
from qipo_ray.train.memory import in_words
from qipo_ray.train.probe import Span


def plan(
    file: str,
    tasks: list[str] | None,
    data: list[str] | None,
    changes: list[str] | None,
    space: list[str] | None,
    trials: int | None,
    objective: str | None,
    report_seeds: str | None,
    json: bool,
    **_: object,
) -> None:
    """Print settings, trials, jobs, episodes, memory, disk and hours; nothing is trained."""
    spec, datasets = read_sweep(
        file, tasks, data, changes, space, trials, objective=objective, report_seeds=report_seeds
    )
    if json:
        out.print_json(plan_document(spec, datasets))
        return
    device, planned, processes = _planned(spec, datasets)
    settings = settings_of_search(spec)
    out.print_rows(TITLES, [cells(setting) for setting in settings], [False, True, *[False] * 3])
    for task in planned.tasks:
        for line in _task_lines(task, spec):
            out.write(line)
    for line in (*_memory(spec, datasets, processes), *_cost_lines(planned, device, processes)):
        out.write(line)


def plan_document(spec: SearchSpec, datasets: dict[str, Dataset]) -> dict[str, Any]:
    """Return the plan as JSON has it."""
    device, planned, processes = _planned(spec, datasets)
    return {
        **_document(planned, device, processes),
        "memory": _memory(spec, datasets, processes),
        "settings": [entry(setting) for setting in settings_of_search(spec)],
    }


def _planned(spec: SearchSpec, datasets: dict[str, Dataset]) -> tuple[str, Plan, int]:
    planned = plan_here(with_prior(spec), datasets)
    return device_of(spec), planned, count_processes(spec.resources)


def _memory(spec: SearchSpec, datasets: dict[str, Dataset], processes: int) -> list[str]:
    return [memory_line(spec, dataset, processes) for dataset in datasets.values()]


def settings_of_search(spec: SearchSpec) -> list[ExplainedSetting]:
    """Return the settings of the base with the origin of each; those that vary with their line."""
    values = flat(spec.base)
    lines = {p.key: p for p in spec.parameters}
    settings = []
    for setting in explained(spec.preset):
        value, origin = values[setting.key], spec.origins.get(setting.key, setting.origin)
        if (parameter := lines.get(setting.key)) is not None:
            value, origin = flow(parameter.document()), parameter.location
        origin = "your --set" if origin.startswith("--set ") else Path(origin).name
        settings.append(replace(setting, value=value, origin=origin.partition(": ")[0]))
    return settings


def _task_lines(task: TaskPlan, spec: SearchSpec) -> list[str]:
    """Return the lines on one task: trials, rungs, and jobs by stage."""
    rungs = [trial.rungs for trial in task.trials]
    at_rungs = (
        f"{_between([updates[i] for updates in rungs])} updates: {count:.3g}"
        for i, count in enumerate(task.at_rungs)
    )
    lines = [
        f"{task.task}: {counted(len(task.trials), 'trial')} on "
        f"{counted(len(spec.search_seeds), 'seed')}; come to rungs, in the mean: "
        f"{'; '.join(at_rungs)}",
    ]
    for stage in STAGES:
        jobs = task.jobs(stage)
        if jobs.needed:
            certain = jobs.smallest == jobs.largest
            span = "" if certain else f", between {jobs.smallest:,} and {jobs.largest:,}"
            lines.append(f"  {stage}: {jobs.needed:,} needed, {jobs.distinct:,} distinct{span}")
    if task.certain < len(task.trials):
        lines.append(
            f"  from trial {task.certain + 1} on TPE chooses; here they are drawn at random"
        )
    trained = [run for run in task.confirm if not run.at_end]
    jobs_to_confirm = {job.key for run in trained for job in run.jobs}
    lines.append(
        f"  confirmed: {counted(len(trained), 'run')}, {counted(len(jobs_to_confirm), 'job')}"
    )
    if spec.race:
        most = len(trained) // len(spec.report_seeds) * len(spec.race)
        lines.append(f"  race: up to {counted(most, 'run')} more, which the cost leaves out")
    return lines


def _cost_lines(plan: Plan, device: str, processes: int) -> list[str]:
    total, search, confirm, acting = _costs(plan)
    kind = "GPU" if device == "cuda" else "CPU"
    episodes = sum(work.episodes for work in (*plan.search, *plan.confirm))
    share = acting.low / total.low if total.low else 0.0
    lines = [
        f"disk: {in_words(plan.disk)} of snapshots",
        f"evaluation: {episodes:,.0f} episodes, about {100 * share:.0f} % of the cost",
        f"cost: {_hours(total)} {kind} hours, by a few updates of each stage here: search "
        f"{_hours(search)}, confirm {_hours(confirm)}",
        f"time: {_hours(total * (1 / processes))} hours with {counted(processes, 'process')}",
    ]
    if plan.unknown:
        lines.append(f"not counted: {', '.join(plan.unknown)}, whose cost no update tells")
    return lines


def _costs(plan: Plan) -> tuple[Span, Span, Span, Span]:
    """Return seconds: of all, of the search, of the confirm step, and of episodes in them."""
    (search, acted), (confirm, more) = plan.seconds(plan.search), plan.seconds(plan.confirm)
    return search + confirm, search, confirm, acted + more


def _document(plan: Plan, device: str, processes: int) -> dict[str, Any]:
    total, search, confirm, acting = _costs(plan)
    return {
        "sweep": plan.spec.name,
        "tasks": [
            {
                "task": task.task,
                "trials": len(task.trials),
                "certain_trials": task.certain,
                "trials_at_rungs": list(task.at_rungs),
                "jobs": {stage: asdict(task.jobs(stage)) for stage in STAGES},
                "confirm_runs": sum(not run.at_end for run in task.confirm),
            }
            for task in plan.tasks
        ],
        "disk_bytes": plan.disk,
        "episodes": round(sum(work.episodes for work in (*plan.search, *plan.confirm))),
        "device": device,
        "processes": processes,
        "seconds": {
            name: [span.low, span.high]
            for name, span in (
                ("all", total), ("search", search), ("confirm", confirm), ("episodes", acting)
            )
        },
        "not_counted": plan.unknown,
    }  # fmt: skip


def _between(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _hours(seconds: Span) -> str:
    return f"{seconds.low / 3600:.3g} to {seconds.high / 3600:.3g}"
