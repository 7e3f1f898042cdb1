"""A sweep's books: what was planned, and what became of every run of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from qipo_ray.config import Config, config_hash, from_dict, stage_keys
from qipo_ray.store.audit import Audit
from qipo_ray.store.records import new_id

ENDS = ("finished", "pruned", "diverged", "failed")  # states of a record
OPEN = ("interrupted", "never started")
Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Standing:
    """How far a trial came: its last rung with a value, and that value."""

    rung: int
    value: float
    trial: str


def standings(entries: Iterable[Entry], ended: Collection[str]) -> list[Standing]:
    """Return the trials of ``ended`` that have a value, best first: rungs reached, then value."""
    last = {
        entry["trial"]: Standing(entry["rung"], entry["value"], entry["trial"])
        for entry in entries
        if entry["value"] is not None and entry["trial"] in ended
    }
    return sorted(last.values(), key=lambda s: (s.rung, s.value), reverse=True)


@dataclass(frozen=True)
class Planned:
    """A run that the sweep is to make; ``config`` is None while it is not chosen yet."""

    purpose: str
    task: str
    seed: int
    config: Config | None = None


def accounts(spec: Mapping[str, Any], found: Audit) -> Counter[str]:
    """Return how many of the planned runs stand where; the sum is the number of planned runs.

    ``interrupted`` has an intent and a checkpoint but no record. The confirm step is planned from
    the moment that all trials have ended, for only then is it known what it confirms.
    """
    states = {record["id"]: record["state"] for record in found.records}
    count: Counter[str] = Counter(dict.fromkeys((*ENDS, *OPEN), 0))
    for run in (*search_runs(spec, found), *confirm_runs(spec, found)):
        count[_state(run, spec, found, states)] += 1
    return count


def search_runs(spec: Mapping[str, Any], found: Audit) -> Iterator[Planned]:
    """Yield the runs of the trials that were intended, then of those that were not yet."""
    for task in spec["tasks"]:
        intents = [intent for intent in found.intents if intent["task"] == task]
        for intent in intents:
            config = from_dict(intent["config"], f"trial {intent['id']}")
            for seed in intent["seeds"]:
                yield Planned("search", task, seed, config)
        for _ in range(len(intents), spec["trials"]):
            for seed in spec["seeds"]["search"]:
                yield Planned("search", task, seed)


def confirm_runs(spec: Mapping[str, Any], found: Audit) -> Iterator[Planned]:
    """Yield the runs of the chosen configurations, and of those that were chosen before.

    A sweep that was extended may choose others; what it confirmed before still counts.
    """
    chosen: dict[tuple[str, str], Config] = {}
    for record in found.records:
        if record["purpose"] == "confirm" and record["task"] in spec["tasks"]:
            config = from_dict(record["config"], f"record {record['id']}")
            chosen[record["task"], config_hash(config)] = config
    if _search_is_over(spec, found):
        for task in spec["tasks"]:
            for config in _choice(spec, task, found):
                chosen[task, config_hash(config)] = config
    for (task, _), config in chosen.items():
        for seed in spec["seeds"]["report"]:
            yield Planned("confirm", task, seed, config)


def _search_is_over(spec: Mapping[str, Any], found: Audit) -> bool:
    """Return whether every trial that was intended has all its records, and none is missing."""
    ids = {record["id"] for record in found.records}
    intended = (run for run in search_runs(spec, found) if run.config is not None)
    enough = all(
        sum(intent["task"] == task for intent in found.intents) >= spec["trials"]
        for task in spec["tasks"]
    )
    confirming = any(record["purpose"] == "confirm" for record in found.records)
    return (enough or confirming) and all(_id(run, spec) in ids for run in intended)


def _choice(spec: Mapping[str, Any], task: str, found: Audit) -> Iterator[Config]:
    """Yield what the sweep confirms of a task: the paper's form, then the best of each path."""
    if spec["paper"] is not None:
        sections = {name: dict(settings) for name, settings in spec["base"].items()}
        for key, value in spec["paper"].items():
            section, name = key.split(".")
            sections[section][name] = value
        yield from_dict(sections, "sweep.yaml: paper")
    intents = {one["id"]: one for one in found.intents if one["task"] == task}
    fine = {
        record["trial"]
        for record in found.records
        if record["purpose"] == "search" and record["state"] in ("finished", "pruned")
    }
    best = [intents[s.trial] for s in standings(found.entries, fine & intents.keys())]
    for path in ("ot", "vp"):
        ours = [
            one
            for one in best
            if one["config"]["behaviour"]["path"] == path and one["origin"] != "paper"
        ]
        for intent in ours[: spec["confirm"]["top"]]:
            yield from_dict(intent["config"], f"trial {intent['id']}")


def _id(run: Planned, spec: Mapping[str, Any]) -> str | None:
    if run.config is None:
        return None
    return new_id(spec["name"], run.purpose, run.task, config_hash(run.config), run.seed)


def _state(run: Planned, spec: Mapping[str, Any], found: Audit, states: Mapping[str, str]) -> str:
    """Return where a run stands."""
    record = _id(run, spec)
    if run.config is None or record is None:
        return "never started"
    if record in states:
        return states[record]
    keys = stage_keys(run.config, run.task, spec["data"][run.task], run.seed)
    begun = any(found.snapshots.get(key) for key in keys.items())
    return "interrupted" if begun else "never started"
