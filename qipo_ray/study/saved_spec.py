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
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from qipo_ray.config import from_dict
from qipo_ray.errors import UserError
from qipo_ray.study.parameter import Parameter
from qipo_ray.study.search_spec import Resources, SearchSpec

FILE = "sweep.yaml"
EARLIER = "specifications"
MAX_BYTES = 1_000_000
UNHASHED = ("hash", "data", "resources")
ANY_RESOURCES = Resources("auto", 1.0, 0.0, 1)  # where it trained says nothing of its results

_Name = Annotated[str, Field(pattern=r"^[^\x00-\x1f]{1,200}$")]
_Seed = Annotated[int, Field(ge=0)]


class UnknownSettings(ValueError):
    """A sound specification with settings that this version of the program does not know."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class _Seeds(_Part):
    search: list[_Seed]
    report: list[_Seed]


class _Rungs(_Part):
    shares: list[Annotated[float, Field(ge=0)]]
    reduction: Annotated[int, Field(ge=2)]


class _Confirm(_Part):
    top: Annotated[int, Field(ge=0)]


class _SpecDocument(_Part):
    hash: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    name: _Name
    tasks: list[_Name]
    base: dict[str, Any]
    paper: dict[str, Any] | None
    space: dict[str, Any]
    trials: Annotated[int, Field(ge=1)]
    seeds: _Seeds
    rungs: _Rungs
    confirm: _Confirm
    resources: Any
    data: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]]


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
    try:
        fields = _SpecDocument.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ValueError(f"sweep.{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    for task in fields.tasks:
        if task not in fields.data:
            raise ValueError(f"sweep.data.{task}: missing")
    try:
        base = from_dict(fields.base, "sweep.base")
        paper = None
        if fields.paper is not None:
            paper = from_dict(_with_changes(fields.base, fields.paper), "sweep.paper")
        space = fields.space.items()
        parameters = tuple(Parameter.from_document(key, line, FILE) for key, line in space)
    except UserError as problem:
        raise UnknownSettings(str(problem)) from None
    spec = SearchSpec(
        name=fields.name,
        tasks=tuple(dict.fromkeys(fields.tasks)),
        base=base,
        paper=paper,
        parameters=parameters,
        trials=fields.trials,
        search_seeds=tuple(fields.seeds.search),
        report_seeds=tuple(fields.seeds.report),
        shares=tuple(fields.rungs.shares),
        reduction=fields.rungs.reduction,
        top=fields.confirm.top,
        resources=ANY_RESOURCES,
        source=FILE,
        saved_hash=fields.hash,
    )
    return SavedSpec(spec, fields.data, document)


def spec_document(spec: SearchSpec, data: Mapping[str, str]) -> dict[str, Any]:
    """Return what a sweep's folder holds of a specification and its data (SHA-256 by task)."""
    return {"hash": spec.hash, **spec.document(), "data": dict(data)}


def _document(path: Path) -> dict[str, Any]:
    """Return what a file holds, if that matches the hash in its first line."""
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES:,} bytes")
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
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
