"""Intents that are gone or damaged: made anew from records, or the sweep is refused.

A search that went on without one would try a further configuration and confirm another best.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from qipo_ray.config import from_dict
from qipo_ray.config.evaluations import rung_updates
from qipo_ray.errors import UserError
from qipo_ray.store.intents import FOLDER, INTENT_SCHEMA, read_intents, write_intent
from qipo_ray.study.search_spec import SearchSpec
from qipo_ray.sweep.task_study import searched

Document = Mapping[str, Any]


def whole_intents(
    spec: SearchSpec,
    root: Path,
    records: Iterable[Document],
    entries: Iterable[Document],
    message: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Return the intents of the tasks of ``spec``, after making anew what records can give.

    ``message`` gets a line for each. ``UserError`` for one that nothing can give: a trial of the
    rung log without a record, or a gap in the order of the trials.
    """
    intents = [intent for intent in read_intents(root) if intent["task"] in spec.tasks]
    present = {intent["id"] for intent in intents}
    recorded: defaultdict[str, list[Document]] = defaultdict(list)
    for record in records:
        if (record["sweep"], record["purpose"]) == (spec.name, "search"):
            recorded[record["trial"]].append(record)
    logged = dict.fromkeys(entry["trial"] for entry in entries if entry["task"] in spec.tasks)
    for trial in [*logged, *(trial for trial in sorted(recorded) if trial not in logged)]:
        runs = recorded[trial]
        if trial in present or (runs and runs[0]["task"] not in spec.tasks):
            continue
        if not runs:
            raise _lost(root, f"trial {trial} has values in the rung log and no intent")
        intent = _from_records(spec, runs, _free_position(intents, runs[0]["task"]))
        path = write_intent(root, intent)
        message(f"{path} was damaged or gone: made anew from the records of its trial")
        intents.append(intent)
    for task in spec.tasks:
        positions = sorted(intent["position"] for intent in intents if intent["task"] == task)
        if positions != list(range(len(positions))):
            number = _free_position(intents, task) + 1
            raise _lost(root, f"trial {number} of {task} has no intent, and later ones have")
    return intents


def _from_records(spec: SearchSpec, runs: list[Document], position: int) -> dict[str, Any]:
    """Return the intent of the trial that some records are of."""
    first = runs[0]
    config = from_dict(first["config"], f"trial {first['trial']}")
    return {
        "schema": INTENT_SCHEMA,
        "id": first["trial"],
        "sweep": spec.name,
        "task": first["task"],
        "position": position,
        "params": searched(spec, config),
        "config": first["config"],
        "config_hash": first["config_hash"],
        "seeds": list(spec.search_seeds),
        "rungs": list(rung_updates(config, spec.shares)),
        "origin": first["label"]["name"],
        "written": min(run["provenance"]["started"] for run in runs),
    }


def _free_position(intents: Iterable[Document], task: str) -> int:
    """Return the first place in a task's order that no intent has."""
    taken = {intent["position"] for intent in intents if intent["task"] == task}
    return next(position for position in range(len(taken) + 1) if position not in taken)


def _lost(root: Path, what: str) -> UserError:
    return UserError(
        f"{root / FOLDER}: {what}: it was damaged or removed, and no record can give it back; "
        "restore it from a copy, or choose another name"
    )
