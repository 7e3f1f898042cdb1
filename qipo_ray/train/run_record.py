"""The record of an ended run, built from the store: the same again after any resume."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from qipo_ray.config import (
    STAGES,
    config_hash,
    departures,
    method_of,
    method_title,
    to_document,
)
from qipo_ray.config.evaluations import protocol_settings
from qipo_ray.config.own_methods import as_read
from qipo_ray.data.tasks import NO_ENVIRONMENT, physics
from qipo_ray.data.transitions import Dataset, behaviour_score, estimated_returns
from qipo_ray.evaluation.score import EvalProtocol, env_seeds_text
from qipo_ray.store.fencing import newest_token
from qipo_ray.store.record_schema import SCHEMA
from qipo_ray.store.records import new_id
from qipo_ray.study.job import Job, Run
from qipo_ray.study.job_events import Score
from qipo_ray.study.objective import SCORE, Objective
from qipo_ray.train.job_store import JobStore
from qipo_ray.train.machine import load_per_core, software
from qipo_ray.train.metrics import read_metrics
from qipo_ray.train.scoring import action_latency_ms


@dataclass(frozen=True)
class RunContext:
    """Why and how a run was made: what its record says beside its results."""

    sweep: str
    trial: str | None
    purpose: str  # search | confirm | acting | single
    name: str | None  # of the configuration, for the tables
    command: str
    started: str  # UTC ISO 8601
    reused: frozenset[str] = frozenset()  # keys of jobs that were finished before
    selection_episodes: int = 0
    objective: Objective = SCORE  # what the search that chose it went by


def now() -> str:
    """Return the time, UTC ISO 8601."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def record_id(run: Run, context: RunContext) -> str:
    """Return the id of the run's record."""
    return new_id(context.sweep, context.purpose, run.task, config_hash(run.config), run.seed)


def build_record(
    run: Run,
    dataset: Dataset,
    job_store: JobStore,
    context: RunContext,
    *,
    state: str = "finished",
    reason: str | None = None,
    reached: int | None = None,
    rung: int | None = None,
) -> dict[str, Any]:
    """Return the record of an ended run (schema 1).

    ``reached`` are the policy updates it came to, its full length unless said otherwise.
    """
    behaviour, critic, policy = run.job("behaviour"), run.job("critic"), run.jobs[-1]
    reached = policy.length if reached is None else reached
    scores, signals = (
        [
            measured
            for point in policy.evaluations
            if point.kind == kind
            and point.updates <= reached
            and (measured := job_store.score(policy, point)) is not None
        ]
        for kind in ("score", "signals")
    )
    finished = state == "finished"
    if finished and not run.task_facts.scored:
        reason = NO_ENVIRONMENT
    machines = _trained_on(run, job_store)
    ended = now()
    return {
        "schema": SCHEMA,
        "id": record_id(run, context),
        "sweep": context.sweep,
        "trial": context.trial,
        "purpose": context.purpose,
        "task": run.task,
        "seed": run.seed,
        "state": state,
        "reason": reason,
        "attempt": max(1, newest_token(job_store.artefacts.folder(policy.stage, policy.key))),
        "config": to_document(as_read(run.config)),
        "config_hash": config_hash(run.config),
        "label": {
            "method": method_title(run.config),
            "departures": list(departures(run.config)),
            "name": context.name,
        },
        "jobs": dict.fromkeys(STAGES) | {job.stage: job.key for job in run.jobs},
        "reached": {"updates": reached, "rung": rung},
        "scores": scores,
        **({"signals": signals} if signals else {}),
        "final": _final(run, job_store, scores) if finished and scores else _nothing(),
        "behaviour_cloning": _cloned(behaviour, job_store),
        "protocol": protocol(run, context).document(),
        "data": _data(run, dataset),
        "cost": _cost(run, job_store, context, ended),
        "provenance": {
            **software(),
            "hardware": _hardware(machines),
            "command": context.command,
            "started": context.started,
            "ended": ended,
        },
        "pack": _pack(policy, machines),
        "critic_report": None if critic is None else job_store.report(critic),
        "policy_report": job_store.report(policy) if finished else None,
        "health": {job.stage: _health(job, job_store, reached) for job in run.jobs},
    }


def _cloned(behaviour: Job | None, job_store: JobStore) -> Score | None:
    """Return the score of the clone that a run builds on, where it was scored."""
    points = () if behaviour is None else behaviour.evaluations
    return next((job_store.score(behaviour, p) for p in points if behaviour is not None), None)


def _health(job: Job, job_store: JobStore, reached: int) -> dict[str, float | None] | None:
    """Return the last metrics of a job in the run, None for one that is not finite."""
    last_update = reached if job.stage == "policy" else job.length
    rows = read_metrics(job_store.artefacts.folder(job.stage, job.key))
    within = [row for row in rows if row["updates"] <= last_update]
    return {k: v if math.isfinite(v) else None for k, v in within[-1].items()} if within else None


def _nothing() -> dict[str, None]:
    return {"last": None, "last3": None, "best": None, "action_latency_ms": None}


def _final(run: Run, job_store: JobStore, scores: list[Score]) -> dict[str, Any]:
    policy = run.jobs[-1]
    run_refs = (*policy.upstream, policy.snapshot)
    state = job_store.acting(run.config, job_store.state(policy.snapshot), run_refs)
    return {
        # Departure D32: the last checkpoint counts; the paper's code reports the best evaluation.
        "last": scores[-1],
        "last3": statistics.fmean(score["normalised"] for score in scores[-3:]),
        "best": max(scores, key=lambda score: float(score["normalised"])),
        "action_latency_ms": action_latency_ms(run.config, state),
    }


def protocol(run: Run, context: RunContext) -> EvalProtocol:
    """Return how the run's final score is measured."""
    settings = protocol_settings(run.config, search=bool(run.rungs))
    return EvalProtocol(
        **settings,
        env_seeds=env_seeds_text(settings["episodes"]),
        selection_episodes=context.selection_episodes,
        physics=physics(run.task),
        scores=run.task_facts.scores,
        objective=context.objective,
    )


def _data(run: Run, dataset: Dataset) -> dict[str, Any]:
    task = run.task_facts
    return {
        "task": run.task,
        "source": dataset.source,
        "sha256": dataset.sha256,
        "rows": dataset.rows,
        "notes": [*task.notes, *dataset.notes, *_estimates(run, dataset)],
        "score": behaviour_score(dataset, task),
    }


def _estimates(run: Run, dataset: Dataset) -> list[str]:
    """Return what must be said of returns that are estimates, if a run's critic learned them."""
    critic = run.config.critic
    if not critic.returns_updates or "critic" not in method_of(run.config).stages:
        return []
    note = estimated_returns(dataset, run.task_facts, critic.discount)
    return [] if note is None else [note]


def _cost(
    run: Run, job_store: JobStore, context: RunContext, ended: str
) -> dict[str, float | None]:
    seconds, updates, reused = 0.0, 0, 0.0
    cpu_seconds: list[float | None] = []  # of all that was trained; None: not counted
    refs = [job.snapshot for job in run.jobs]
    if student := run.jobs[-1].distilled:
        refs.append(student)
    for ref in refs:
        lengths = [n for n in job_store.artefacts.lengths(ref.stage, ref.key) if n <= ref.updates]
        artefact = job_store.artefacts.find(ref.stage, ref.key, max(lengths)) if lengths else None
        cpu_seconds.append(None if artefact is None else artefact.cpu_seconds)
        if artefact is None:
            continue
        if ref.key in context.reused:
            reused += artefact.seconds
        else:
            seconds, updates = seconds + artefact.seconds, updates + artefact.updates
    wall = datetime.fromisoformat(ended) - datetime.fromisoformat(context.started)
    return {
        "wall_s": wall.total_seconds(),
        "device_s": seconds,
        "updates_per_s": updates / seconds if seconds else None,
        "reused_s": reused,
        "cpu_s": None if None in cpu_seconds else sum(filter(None, cpu_seconds)),
        "latency_load": round(load_per_core(), 2),
    }


def _trained_on(run: Run, job_store: JobStore) -> list[dict[str, Any]]:
    """Return the distinct machines of the run's jobs, the one that ended the policy first."""
    machines = [
        machine for job in reversed(run.jobs) for machine in reversed(job_store.machines(job))
    ]
    return [machine for i, machine in enumerate(machines) if machine not in machines[:i]]


def _hardware(machines: list[dict[str, Any]]) -> dict[str, Any] | str:
    """Return the machine that the policy was finished on, and ``also`` others that had a share."""
    if not machines:
        return "unknown"  # of artefacts that are older than these notes, or a run that never began
    first, *later = [{k: v for k, v in machine.items() if k != "slots"} for machine in machines]
    further = [machine for machine in later if machine != first]
    return {**first, "also": further} if further else first


def _pack(policy: Job, machines: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the most members that the run can have trained beside, itself among them.

    Of larger packs the composition changed as others came and left: it is not known.
    """
    size = max((machine["slots"] for machine in machines), default=1)
    return {"size": size, "composition": [policy.key] if size == 1 else None}
