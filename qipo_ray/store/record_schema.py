"""Schema 1 of a record: every field with the check that its value must pass."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from qipo_ray.errors import nearest

SCHEMA = 1
Check = Callable[[Any, str], None]  # (value, dotted name from 'record' on); raises RecordError


class RecordError(ValueError):
    """A record that breaks the schema, or another one under its id; the text names the field."""


def _fail(name: str, expected: str, value: object) -> None:
    raise RecordError(f"{name}: expected {expected}; got {value!r:.60}")


def one_of(*allowed: object) -> Check:
    """Return a check for exactly these values; ``True`` is not 1."""
    pairs = [(type(item), item) for item in allowed]

    def check(value: Any, name: str) -> None:
        if (type(value), value) not in pairs:
            _fail(name, "one of " + ", ".join(map(repr, allowed)), value)

    return check


def number(low: float = -math.inf, *, whole: bool = False) -> Check:
    """Return a check for a finite number of at least ``low``; a bool is none."""
    kinds = (int,) if whole else (int, float)

    def check(value: Any, name: str) -> None:
        fine = type(value) in kinds and (whole or math.isfinite(value)) and value >= low
        if not fine:
            noun = "a whole number" if whole else "a finite number"
            _fail(name, noun if low == -math.inf else f"{noun} of at least {low:g}", value)

    return check


def text(pattern: str = r"(?s).{1,4096}", noun: str = "text, not empty") -> Check:
    """Return a check for text that a pattern matches as a whole; ``noun`` says which text."""
    matches = re.compile(pattern).fullmatch

    def check(value: Any, name: str) -> None:
        if not isinstance(value, str) or not matches(value):
            _fail(name, noun, value)

    return check


def many(item: Check) -> Check:
    """Return a check for a list of which every item passes."""

    def check(value: Any, name: str) -> None:
        if not isinstance(value, list):
            _fail(name, "a list", value)
        for i, entry in enumerate(value):
            item(entry, f"{name}.{i}")

    return check


def fields(checks: Mapping[str, Check]) -> Check:
    """Return a check for a mapping with exactly these keys."""

    def check(value: Any, name: str) -> None:
        if not isinstance(value, dict):
            _fail(name, "a mapping", value)
        for key in value:
            if key not in checks:
                guess = nearest(str(key), checks)
                raise RecordError(f"{name}: unknown field {key!r:.60}{guess}")
        for key, item in checks.items():
            if key not in value:
                raise RecordError(f"{name}.{key}: missing")
            item(value[key], f"{name}.{key}")

    return check


def either(*checks: Check) -> Check:
    """Return a check that one of several must pass; the one that got furthest says why not."""

    def check(value: Any, name: str) -> None:
        problems = []
        for item in checks:
            try:
                item(value, name)
                return
            except RecordError as problem:
                problems.append(problem)
        raise max(problems, key=lambda problem: str(problem).partition(":")[0].count("."))

    return check


def maybe(item: Check) -> Check:
    """Return a check that also lets null pass."""

    def check(value: Any, name: str) -> None:
        if value is not None:
            item(value, name)

    return check


def plain(value: Any, name: str) -> None:
    """Check free JSON: text keys, finite numbers, no other types."""
    if value is None or isinstance(value, (str, bool)):
        return
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                _fail(name, "text keys", key)
            plain(item, f"{name}.{key}")
    elif isinstance(value, list):
        for i, item in enumerate(value):
            plain(item, f"{name}.{i}")
    elif isinstance(value, (int, float)):
        _finite(value, name)
    else:
        _fail(name, "plain JSON", value)


def mapping(value: Any, name: str) -> None:
    """Check free JSON that is a mapping at the top."""
    if not isinstance(value, dict):
        _fail(name, "a mapping", value)
    plain(value, name)


def utc(value: Any, name: str) -> None:
    """Check a time in UTC, ISO 8601, with ``Z`` or ``+00:00``."""
    try:
        offset = datetime.fromisoformat(re.sub(r"Z$", "+00:00", value)).utcoffset()
    except (ValueError, TypeError):
        offset = None
    if offset != timedelta(0):
        _fail(name, "a UTC time such as 2026-01-31T12:00:00Z", value)


_finite = number()
HEX16 = text(r"[0-9a-f]{16}", "16 hex digits")
NAME = text(r"[^\x00-\x1f]{1,200}", "one line of text, up to 200 signs")
COUNT = number(0, whole=True)
SCORE = fields(
    {
        "updates": COUNT,
        "episodes": number(1, whole=True),
        "mean": maybe(number()),  # return over the episodes
        "std": maybe(number(0)),
        "normalised": maybe(number()),  # percent
        "success": maybe(number(0)),  # share from 0 to 1
    }
)
RECORD = {
    "schema": one_of(SCHEMA),
    "id": HEX16,
    "sweep": NAME,
    "trial": maybe(NAME),
    "purpose": one_of("search", "confirm", "single"),
    "task": NAME,
    "seed": COUNT,
    "state": one_of("finished", "pruned", "diverged", "failed"),
    "reason": maybe(text()),
    "attempt": number(1, whole=True),
    "config": mapping,
    "config_hash": HEX16,
    "label": fields(
        {
            "method": one_of("QIPO-OT", "QIPO-Diff"),
            "departures": many(NAME),
            "name": maybe(NAME),
        }
    ),
    "jobs": fields({stage: maybe(HEX16) for stage in ("behaviour", "critic", "policy")}),
    "reached": fields({"updates": COUNT, "rung": maybe(number(0))}),
    "scores": many(SCORE),
    "final": fields(
        {
            "last": maybe(SCORE),
            "last3": maybe(number()),  # percent, mean of the last three training evaluations
            "best": maybe(SCORE),
            "action_latency_ms": maybe(number(0)),
        }
    ),
    "behaviour_cloning": maybe(SCORE),
    "protocol": fields(
        {
            "episodes": number(1, whole=True),
            "env_seeds": either(NAME, many(COUNT)),
            "sampler": NAME,
            "steps": number(1, whole=True),
            "best_of": number(1, whole=True),
            "clip": one_of(True, False),
            "selection_episodes": COUNT,
        }
    ),
    "data": fields(
        {
            "task": NAME,
            "source": one_of("d4rl", "minari", "generated", "other"),
            "sha256": text(r"[0-9a-f]{64}", "64 hex digits"),
            "rows": number(1, whole=True),
            "notes": many(text()),
            "score": maybe(
                fields(
                    {
                        "mean": maybe(number()),
                        "normalised": maybe(number()),
                        "episodes": number(0, whole=True),
                    }
                )
            ),
        }
    ),
    "cost": fields(
        {name: maybe(number(0)) for name in ("wall_s", "device_s", "updates_per_s", "reused_s")}
    ),
    "provenance": fields(
        {
            "version": NAME,
            "commit": maybe(NAME),
            "dirty": maybe(one_of(True, False)),
            "packages": mapping,
            "python": NAME,
            "hardware": either(NAME, mapping),
            "command": either(text(), many(text(r"(?s).*", "text"))),
            "started": utc,
            "ended": utc,
        }
    ),
    "pack": fields({"size": number(1, whole=True), "composition": maybe(plain)}),
}
