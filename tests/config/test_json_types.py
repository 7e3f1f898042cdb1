"""Which values each type of a schema takes, and that plain JSON is judged to its last part."""

from __future__ import annotations

import math
from typing import Any

import pytest

from qipo_ray.config import json_types
from qipo_ray.config.validation import Validator

VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 0.5, -0.0, -1.5, math.nan, math.inf, -math.inf, 10**400, 1e308,
    "", "a", "a\n", "two\nlines", "x" * 200, "x" * 201, "x" * 4096, "x" * 4097, "\ud800",
    "a" * 16, "a" * 16 + "\n", "A" * 16, "a" * 64, "g" * 64,
    "2026-01-31T12:00:00Z", "2026-01-31T12:00:00.250000+00:00", "2026-01-31T12:00:00+01:00",
    "2026-01-31T12:00:00", "2026-01-31", "2026-13-31T12:00:00Z",
    [], [None, True, 1, 0.5, "a"], [math.nan], {}, {"a": {"b": [1]}}, {"a": {1: 2}},
    {"a": [math.inf]}, b"a", (1,), {1}, object(),
]  # fmt: skip
TEXTS = [value for value in VALUES if isinstance(value, str)]
LONG = ["x" * 201, "x" * 4096, "x" * 4097]
PLAIN = [
    value for value in VALUES if value is None or isinstance(value, (bool, int, str, float))
    if not isinstance(value, float) or math.isfinite(value)
] + [[], [None, True, 1, 0.5, "a"], {}, {"a": {"b": [1]}}]  # fmt: skip
TAKEN: dict[str, list[Any]] = {
    "Integer": [0, 1, -1],
    "Real": [0, 1, -1, 0.5, -0.0, -1.5, 1e308],
    "Flag": [True, False],
    "Count": [0, 1],
    "Positive": [1],
    "Number": [0, 1, -1, 0.5, -0.0, -1.5, 1e308],
    "NonNegative": [0, 1, 0.5, -0.0, 1e308],
    "Text": [text for text in TEXTS if 0 < len(text) < 4097],
    "Name": [t for t in TEXTS if t not in ("", "\ud800", *LONG) and "\n" not in t],
    "Hex16": ["a" * 16],
    "Sha256": ["a" * 64],
    "Utc": ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00.250000+00:00"],
    "Plain": PLAIN,
    "PlainMapping": [{}, {"a": {"b": [1]}}],
}


@pytest.mark.parametrize("name", TAKEN)
def test_a_type_takes_these_values_and_no_others(name: str) -> None:
    validator = Validator(getattr(json_types, name))
    refused = []
    for value in VALUES:
        try:
            validator.check(value, "it")
        except ValueError as error:
            assert str(error).startswith("it") and "; got " in str(error)
            refused.append(value)
    taken = [value for value in VALUES if not any(value is other for other in refused)]
    assert list(map(repr, taken)) == list(map(repr, sorted(TAKEN[name], key=_order)))


def _order(value: Any) -> int:
    return list(map(repr, VALUES)).index(repr(value))


def test_every_type_has_its_values() -> None:
    types = {name for name, kind in vars(json_types).items() if hasattr(kind, "__metadata__")}
    assert types == TAKEN.keys()
