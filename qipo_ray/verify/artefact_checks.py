"""Check the artefacts of records: their weights, and the sidecars of their scores."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from qipo_ray.config import STAGES, Config, stage_updates
from qipo_ray.config.evaluations import score_name, signals_name
from qipo_ray.study.job import CheckpointRef, distilled
from qipo_ray.verify.audit import Address, Audit
from qipo_ray.verify.sweep_plan import Record

DIVERGED = "diverged"  # start of a sidecar's name


def check_artefacts(audit: Audit, configs: Mapping[str, Config]) -> None:
    """Note weights and scores of records that are missing or differ.

    A run with a score needs its behaviour and critic at their full lengths, a finished one also
    its policy; every score is kept in a sidecar of the weights.
    """
    if not audit.snapshots:
        audit.remark(audit.root / "artefacts", "no weights: nothing to hash")
        return
    missing: defaultdict[tuple[Address, int], list[str]] = defaultdict(list)
    for record in audit.records:
        config = configs.get(record["id"])
        for job, updates in _weights(record, config):
            if updates not in audit.snapshots.get(job, set()) | audit.unread.get(job, set()):
                missing[job, updates].append(record["id"])
        if config is not None:
            for job, score in _scores(record):
                physics = record["protocol"].get("physics", 1)
                at, episodes = score["updates"], score["episodes"]
                name = score_name(config, at, episodes, physics, job[0])
                _check_note(audit, record, job, name, score)
            for signals in record.get("signals", ()):
                name = signals_name(config, signals["updates"])
                _check_note(audit, record, ("policy", record["jobs"]["policy"]), name, signals)
    for ((stage, key), updates), ids in missing.items():
        path = audit.root / "artefacts" / f"{stage}-{key}"
        more = f" and {len(ids) - 1} others" if len(ids) > 1 else ""
        message = f"no sound weights at {updates} updates, on which record {ids[0]}{more} rests"
        audit.fault(path, message)
    _check_divergence_sidecars(audit)


def _weights(record: Record, config: Config | None) -> Iterator[tuple[Address, int]]:
    """Yield the snapshots that a record needs, as far as its configuration can be read."""
    finished = record["state"] == "finished"
    lengths = {} if config is None else stage_updates(config)
    for stage in STAGES:
        needed = bool(record["scores"]) if stage != "policy" else finished
        if stage == "behaviour" and record["behaviour_cloning"] is not None:
            needed = True
        updates = record["reached"]["updates"] if stage == "policy" else lengths.get(stage)
        if needed and updates is not None and record["jobs"][stage] is not None:
            yield (stage, record["jobs"][stage]), updates
            if student := _distilled(record, config, updates) if stage == "policy" else None:
                yield (student.stage, student.key), student.updates


def _distilled(record: Record, config: Config | None, updates: int) -> CheckpointRef | None:
    """Return the one-step network that a record needs, if it needs one."""
    if config is None or record["purpose"] == "search":
        return None
    if record["purpose"] == "acting" and not config.sampler.one_step:
        return None
    return distilled(config, CheckpointRef("policy", record["jobs"]["policy"], updates))


def _scores(record: Record) -> Iterator[tuple[Address, dict[str, Any]]]:
    """Yield the scores of a record with the job that each belongs to."""
    for score in record["scores"]:
        yield ("policy", record["jobs"]["policy"]), score
    if record["behaviour_cloning"] is not None:
        yield ("behaviour", record["jobs"]["behaviour"]), record["behaviour_cloning"]
    report = record.get("critic_report")
    if report is not None and report["best_of"] is not None:
        yield ("critic", record["jobs"]["critic"]), report["best_of"]


def _check_note(
    audit: Audit, record: Record, job: Address, name: str, score: Mapping[str, Any]
) -> None:
    """Note a score, or signals, that are not those beside the weights."""
    sidecars = audit.sidecars.get(job, {})
    if name in sidecars and sidecars[name] == score:
        return
    path = audit.root / "artefacts" / f"{job[0]}-{job[1]}" / f"note-{name}.json"
    message = "not the score in" if name in sidecars else "no sound note of a score in"
    audit.fault(path, f"{message} record {record['id']}")


def _check_divergence_sidecars(audit: Audit) -> None:
    """Report runs that diverged by their records, but have no job with a sidecar that says so."""
    runs: defaultdict[str, list[Record]] = defaultdict(list)
    for record in audit.records:
        if record["state"] == "diverged":
            runs[record["trial"] if record["purpose"] == "search" else record["id"]].append(record)
    for records in runs.values():
        sidecars = (
            name
            for record in records
            for job in record["jobs"].items()
            for name in audit.sidecars.get(job, {})
        )
        if not any(name.startswith(DIVERGED) for name in sidecars):
            path = audit.record_path(records[0]["id"])
            audit.fault(path, "diverged, but no job of it left a note that says so")
