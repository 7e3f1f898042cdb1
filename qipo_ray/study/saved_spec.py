"""The specification in a sweep's folder: what a sweep was planned to do, as its own file says.

``sweep.yaml`` is the one in force; ``specifications/`` holds those that ``--extend`` replaced. A
sweep, its resumes and ``verify`` all read it here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field
from typing_extensions import NotRequired, TypedDict

from qipo_ray.config import from_dict
from qipo_ray.config.json_types import (
    Count,
    Hex16,
    Name,
    NonNegative,
    Plain,
    PlainMapping,
    Positive,
    Sha256,
)
from qipo_ray.config.validation import Validator
from qipo_ray.config.yaml_source import own_yaml
from qipo_ray.data.tasks import physics
from qipo_ray.errors import UserError
from qipo_ray.study.acting_reader import saved_acting
from qipo_ray.study.objective import SCORE, Objective
from qipo_ray.study.parameter import Parameter
from qipo_ray.study.prior import Prior, PriorDocument
from qipo_ray.study.search_spec import Baseline, Resources, SearchSpec

FILE = "sweep.yaml"
EARLIER = "specifications"
MAX_BYTES = 1_000_000
UNHASHED = ("hash", "data", "physics", "resources")
ANY_RESOURCES = Resources("auto", 1.0, 0.0, 1)  # where it trained says nothing of its results


class UnknownSettings(ValueError):
    """A sound specification with settings that this version of the program does not know."""


class SavedSeeds(TypedDict):
    """Training seeds of the two steps."""

    search: list[Count]
    report: list[Count]


class SavedRungs(TypedDict):
    """Where trials are compared."""

    shares: list[NonNegative]
    reduction: Annotated[Positive, Field(ge=2)]


class SavedConfirm(TypedDict):
    """What is confirmed."""

    top: Count
    race: NotRequired[list[Count]]


class SavedDocument(TypedDict):
    """The contents of ``sweep.yaml``."""

    hash: Hex16
    name: Name
    tasks: list[Name]
    base: PlainMapping
    paper: PlainMapping | None
    baselines: NotRequired[PlainMapping]
    acting: NotRequired[dict[str, PlainMapping]]
    space: PlainMapping
    objective: NotRequired[Objective]
    prior: NotRequired[PriorDocument]
    trials: Positive
    seeds: SavedSeeds
    rungs: SavedRungs
    confirm: SavedConfirm
    resources: Plain
    data: PlainMapping  # SHA-256 by task
    physics: NotRequired[dict[Name, Positive]]  # by task; 1 of those that are not there


DOCUMENT, HASH = Validator(SavedDocument), Validator(Sha256)


@dataclass(frozen=True)
class SavedSpec:
    """A specification as it stands in a sweep's folder."""

    spec: SearchSpec  # its resources are not those of the file
    data: Mapping[str, str]  # SHA-256 by task
    document: Mapping[str, Any]  # the file's contents


def read_spec(path: Path) -> SavedSpec:
    """Return the specification in a file; ``ValueError`` says in one line what is wrong.

    ``UnknownSettings`` for a sound one of another version of the program. The specification
    keeps the hash that the file names, also where a later version would hash it otherwise.
    """
    document = _document(path)
    DOCUMENT.check(document, "sweep")
    for task in document["tasks"]:
        HASH.check(document["data"].get(task), f"sweep.data.{task}")
    base, changes = document["base"], document["paper"]
    try:
        base_config = from_dict(base, "sweep.base")
        paper = None
        if changes is not None:
            paper = from_dict(_with_changes(base, changes), "sweep.paper")
        baselines = tuple(
            Baseline(name, from_dict(_with_changes(base, changes), f"sweep.baselines.{name}"))
            for name, changes in document.get("baselines", {}).items()
        )
        acting = saved_acting(document.get("acting", {}))
        lines = document["space"].items()
        parameters = tuple(Parameter.from_document(key, line, FILE) for key, line in lines)
    except UserError as problem:
        raise UnknownSettings(str(problem)) from None
    spec = SearchSpec(
        name=document["name"],
        tasks=tuple(dict.fromkeys(document["tasks"])),
        base=base_config,
        paper=paper,
        parameters=parameters,
        trials=document["trials"],
        search_seeds=tuple(document["seeds"]["search"]),
        report_seeds=tuple(document["seeds"]["report"]),
        shares=tuple(document["rungs"]["shares"]),
        reduction=document["rungs"]["reduction"],
        top=document["confirm"]["top"],
        resources=ANY_RESOURCES,
        source=FILE,
        baselines=baselines,
        acting=acting,
        objective=document.get("objective", SCORE),
        race=tuple(document["confirm"].get("race", ())),
        prior=Prior.from_document(document.get("prior")),
        saved_hash=document["hash"],
    )
    return SavedSpec(spec, document["data"], document)


def spec_document(spec: SearchSpec, data: Mapping[str, str]) -> dict[str, Any]:
    """Return what a sweep's folder holds of a specification and its data (SHA-256 by task)."""
    later = {task: number for task in data if (number := physics(task)) > 1}
    return {
        **{"hash": spec.hash, **spec.document(), "data": dict(data)},
        **({"physics": later} if later else {}),
    }


def _document(path: Path) -> dict[str, Any]:
    """Return what a file holds, if that matches the hash in its first line."""
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES:,} bytes")
    try:
        document = own_yaml(path.read_text(encoding="utf-8"))
        if not isinstance(document, dict):
            raise ValueError(f"expected a mapping; got a {type(document).__name__}")
        hashed = {key: value for key, value in document.items() if key not in UNHASHED}
        canonical = json.dumps(hashed, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (yaml.YAMLError, TypeError) as problem:
        raise ValueError(str(problem)) from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if hashlib.sha256(canonical.encode()).hexdigest()[:16] != document.get("hash"):
        raise ValueError("it does not match the hash in its first line")
    return document


def _with_changes(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested settings with other values at dotted keys."""
    sections = {name: dict(settings) for name, settings in base.items()}
    for key, value in changes.items():
        section, _, name = key.partition(".")
        sections.setdefault(section, {})[name] = value
    return sections
