"""Records held to the artefacts: the weights that they rest on, and the notes that they repeat."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from qipo_ray.config import STAGES, Config, stage_updates
from qipo_ray.config.evaluations import score_name
from qipo_ray.verify.audit import Address, Audit
from qipo_ray.verify.sweep_plan import Record

DIVERGED = "diverged"  # start of a note's name


def check_evidence(found: Audit, configs: Mapping[str, Config]) -> None:
    """Note weights and scores that records rest on and that are missing or others.

    A run with a score rests on its whole behaviour and critic, a finished one on its policy, too;
    every score is kept as a note beside the weights.
    """
    if not found.snapshots:
        found.remark(found.root / "artefacts", "no weights: nothing to hash")
        return
    missing: defaultdict[tuple[Address, int], list[str]] = defaultdict(list)
    for record in found.records:
        config = configs.get(record["id"])
        for job, updates in _weights(record, config):
            if updates not in found.snapshots.get(job, set()) | found.unread.get(job, set()):
                missing[job, updates].append(record["id"])
        if config is not None:
            for job, score in _scores(record):
                _check_note(found, record, config, job, score)
    for ((stage, key), updates), ids in missing.items():
        path = found.root / "artefacts" / f"{stage}-{key}"
        more = f" and {len(ids) - 1} others" if len(ids) > 1 else ""
        what = f"no sound weights at {updates} updates, on which record {ids[0]}{more} rests"
        found.fault(path, what)
    _check_divergence(found)


def _weights(record: Record, config: Config | None) -> Iterator[tuple[Address, int]]:
    """Yield the snapshots that a record rests on, as far as its configuration can be read."""
    finished = record["state"] == "finished"
    lengths = {} if config is None else stage_updates(config)
    for stage in STAGES:
        needed = bool(record["scores"]) if stage != "policy" else finished
        if stage == "behaviour" and record["behaviour_cloning"] is not None:
            needed = True
        updates = record["reached"]["updates"] if stage == "policy" else lengths.get(stage)
        if needed and updates is not None and record["jobs"][stage] is not None:
            yield (stage, record["jobs"][stage]), updates


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
    found: Audit, record: Record, config: Config, job: Address, score: Mapping[str, Any]
) -> None:
    name = score_name(config, score["updates"], score["episodes"])
    notes = found.notes.get(job, {})
    if name in notes and notes[name] == score:
        return
    path = found.root / "artefacts" / f"{job[0]}-{job[1]}" / f"note-{name}.json"
    what = "not the score in" if name in notes else "no sound note of a score in"
    found.fault(path, f"{what} record {record['id']}")


def _check_divergence(found: Audit) -> None:
    """Note the runs that diverged by their records, and of which no job is known to have."""
    runs: defaultdict[str, list[Record]] = defaultdict(list)
    for record in found.records:
        if record["state"] == "diverged":
            runs[record["trial"] if record["purpose"] == "search" else record["id"]].append(record)
    for records in runs.values():
        notes = (
            name
            for record in records
            for job in record["jobs"].items()
            for name in found.notes.get(job, {})
        )
        if not any(name.startswith(DIVERGED) for name in notes):
            path = found.record_path(records[0]["id"])
            found.fault(path, "diverged, but no job of it left a note that says so")
