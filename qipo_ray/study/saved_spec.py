"""The specification in a sweep's folder, as `verify` reads it: checked before anything is counted.

``sweep.yaml`` is the one in force; ``specifications/`` holds those that ``--extend`` replaced.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from qipo_ray.config import Config, config_hash, from_dict
from qipo_ray.errors import UserError
from qipo_ray.store.checks import (
    COUNT,
    HEX16,
    MAPPING,
    NAME,
    PLAIN,
    SHA256,
    Fields,
    Many,
    Maybe,
    judged,
    number,
)
from qipo_ray.study.parameter import Parameter, points
from qipo_ray.verify.audit import Audit, names, reason

FILE = "sweep.yaml"
EARLIER = "specifications"
MOST_BYTES = 1_000_000
UNHASHED = ("hash", "data", "resources")

_check = judged(
    Fields(
        {
            "hash": HEX16,
            "name": NAME,
            "tasks": Many(NAME),
            "base": MAPPING,
            "paper": Maybe(MAPPING),
            "space": MAPPING,
            "trials": number(1, whole=True),
            "seeds": Fields({"search": Many(COUNT), "report": Many(COUNT)}),
            "rungs": Fields({"shares": Many(number(0)), "reduction": number(2, whole=True)}),
            "confirm": Fields({"top": COUNT}),
            "resources": PLAIN,
            "data": MAPPING,
        }
    )
)
_check_sha256 = judged(SHA256)


class OtherSettings(ValueError):
    """A sound specification with settings that this version of the program does not know."""


@dataclass(frozen=True)
class Specification:
    """What a sweep was to do."""

    name: str
    tasks: tuple[str, ...]
    base: Mapping[str, Mapping[str, Any]]
    paper: Config | None
    space: tuple[Parameter, ...]
    trials: int  # per task
    search_seeds: tuple[int, ...]
    report_seeds: tuple[int, ...]
    shares: tuple[float, ...]
    top: int
    data: Mapping[str, str]  # SHA-256 by task

    def settings(self, params: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Return the base with other values at dotted keys."""
        return _changed(self.base, params)

    @property
    def finite(self) -> bool:
        """Whether the space has a last point."""
        return all(parameter.options is not None for parameter in self.space)

    def exhausted_by(self, tried: Iterable[str]) -> bool:
        """Return whether trials with these configurations' hashes leave nothing to try."""
        if not self.finite:
            return False
        known = set(tried)
        try:
            configs = (from_dict(self.settings(params), FILE) for params in points(self.space))
            return all(config_hash(config) in known for config in configs)
        except UserError:
            return False


def specifications(found: Audit) -> tuple[Specification | None, list[Specification]]:
    """Return the specification in force, None if it cannot be read, and those before it."""
    path = found.root / FILE
    now = _read_or_say(found, path) if os.path.lexists(path) else None
    if now is None and not os.path.lexists(path) and (found.intents or found.entries):
        found.fault(path, "missing, though there are trials; the runs cannot be counted")
    folder = found.root / EARLIER
    kept = [name for name in names(found, folder) if name.endswith(".yaml") and name[0] != "."]
    earlier = (_read_or_say(found, folder / name) for name in kept)
    return now, [one for one in earlier if one is not None]


def _read_or_say(found: Audit, path: Path) -> Specification | None:
    try:
        return read(path)
    except OtherSettings as problem:
        found.remark(path, f"its runs cannot be counted: {problem}")
    except (ValueError, OSError) as problem:
        found.fault(path, f"damaged, so its runs cannot be counted: {reason(problem)}")
    return None


def read(path: Path) -> Specification:
    """Return the specification in a file; ``ValueError`` says in one line what is wrong."""
    document = _document(path)
    _check(document, "sweep")
    for task in document["tasks"]:
        _check_sha256(document["data"].get(task), f"sweep.data.{task}")
    try:
        base = document["base"]
        from_dict(base, "sweep.base")
        changes = document["paper"]
        paper = None if changes is None else from_dict(_changed(base, changes), "sweep.paper")
        space = [Parameter.of(key, line, FILE) for key, line in document["space"].items()]
    except UserError as problem:
        raise OtherSettings(str(problem)) from None
    return Specification(
        name=document["name"],
        tasks=tuple(dict.fromkeys(document["tasks"])),
        base=base,
        paper=paper,
        space=tuple(space),
        trials=document["trials"],
        search_seeds=tuple(document["seeds"]["search"]),
        report_seeds=tuple(document["seeds"]["report"]),
        shares=tuple(document["rungs"]["shares"]),
        top=document["confirm"]["top"],
        data=document["data"],
    )


def _document(path: Path) -> dict[str, Any]:
    """Return what a file holds, if that matches the hash in its first line."""
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"larger than {MOST_BYTES:,} bytes")
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


def _changed(
    base: Mapping[str, Mapping[str, Any]], changes: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return settings with other values at dotted keys."""
    sections = {name: dict(settings) for name, settings in base.items()}
    for key, value in changes.items():
        section, _, name = key.partition(".")
        sections.setdefault(section, {})[name] = value
    return sections
