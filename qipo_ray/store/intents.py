"""Intents: one immutable JSON file per trial, written before it starts; a resume reads them.

An intent says what will be trained and why. How it ended stands in the rung log and the records.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import NotRequired, TypedDict

from qipo_ray.config.json_types import (
    Count,
    Expected,
    Hex16,
    Name,
    PlainMapping,
    Positive,
    Utc,
)
from qipo_ray.config.validation import Validator
from qipo_ray.store.documents import DocumentType
from qipo_ray.store.files import check_name
from qipo_ray.store.record_schema import RecordError, SchemaOne

INTENT_SCHEMA = 1
FOLDER = "trials"
TrialId = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$"), Expected("12 hex digits")]


class IntentFields(TypedDict):
    """The intent of a trial."""

    schema: SchemaOne
    id: TrialId
    sweep: Name
    task: Name
    position: Count  # in the task's study, from 0
    params: PlainMapping  # dotted key: value
    config: PlainMapping  # resolved
    config_hash: Hex16
    seeds: list[Count]
    rungs: list[Positive]  # policy updates, rising
    origin: Literal["paper", "search", "grid"]
    objective: NotRequired[Name]  # what its rungs are compared by; the score where not there
    written: Utc


INTENT = Validator(IntentFields, RecordError)


def trial_id(sweep: str, task: str, config_hash: str) -> str:
    """Return the id of a trial, 12 hex digits; one configuration is one trial of a study."""
    identity = json.dumps([sweep, task, config_hash])
    return hashlib.sha256(identity.encode()).hexdigest()[:12]


def validate_intent(intent: dict[str, Any]) -> None:
    """Raise ``RecordError`` naming the first field that breaks schema 1."""
    if intent.get("schema") != INTENT_SCHEMA:
        raise RecordError(f"intent.schema: expected {INTENT_SCHEMA}")
    INTENT.check(intent, "intent")
    if intent["id"] != trial_id(intent["sweep"], intent["task"], intent["config_hash"]):
        raise RecordError(
            f"intent.id: not the hash of sweep, task and config_hash; got {intent['id']!r}"
        )
    for name in ("seeds", "rungs"):
        values = intent[name]
        if not values or len(set(values)) < len(values):
            raise RecordError(f"intent.{name}: expected different numbers; got {values!r:.60}")
    if intent["rungs"] != sorted(intent["rungs"]):
        raise RecordError(f"intent.rungs: expected rising updates; got {intent['rungs']!r:.60}")


INTENTS = DocumentType("intent", validate_intent, may_differ=["written"])


def write_intent(root: Path, intent: dict[str, Any]) -> Path:
    """Return ``<root>/trials/<id>.json`` once the intent is durable there.

    One that is equal but for ``written`` may be there already, and stays. ``RecordError`` for an
    invalid intent, and for another one under the same id. A damaged one is set aside.
    """
    return INTENTS.write(Path(root) / FOLDER, intent)


def read_intents(root: Path) -> list[dict[str, Any]]:
    """Return the valid intents of a sweep, by task and position; none if there is no folder.

    A damaged file is set aside with a warning in the log that names it.
    """
    intents = []
    for path in sorted((Path(root) / FOLDER).glob("*.json")):
        if not path.name.startswith("."):
            intent = INTENTS.read_or_set_aside(path)
            if intent is not None:
                intents.append(intent)
    return sorted(intents, key=lambda intent: (intent["task"], intent["position"], intent["id"]))


def read_intent(root: Path, trial: str) -> dict[str, Any]:
    """Return one trial's intent; ``FileNotFoundError`` if there is none or it is damaged."""
    path = Path(root) / FOLDER / f"{check_name(trial)}.json"
    intent = INTENTS.read_or_set_aside(path)
    if intent is None:
        raise FileNotFoundError(f"{path}: no intent")
    return intent
