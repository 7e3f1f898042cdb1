"""The types of which schemas are made; each is strict, and names itself in an error line.

A bool is no number, a float no whole number, and no number is infinite or NaN.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from math import isfinite
from typing import Annotated, Any, TypeAlias

from pydantic import (
    AfterValidator,
    Field,
    GetCoreSchemaHandler,
    PlainValidator,
    ValidationError,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

LARGEST = int(sys.float_info.max)  # no whole number is above it
ATOMS = (str, int, bool, type(None))  # types of which every value is plain JSON
Location: TypeAlias = tuple[int | str, ...]  # keys and indices, from the outside in


@dataclass(frozen=True)
class Expected:
    """What an error line says of a type; a value that fits costs no time."""

    noun: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Return the schema of the type with an error of its own."""
        return core_schema.custom_error_schema(
            handler(source), custom_error_type="expected", custom_error_message=self.noun
        )


def _plain(value: Any) -> Any:
    """Return plain JSON: text keys, finite numbers, no other types."""
    if fault := _plain_fault(value):
        location, noun, part = fault
        problem = PydanticCustomError("expected", noun)
        raise ValidationError.from_exception_data(
            "JSON", [{"type": problem, "loc": location, "input": part}]
        )
    return value


def _plain_mapping(value: Any) -> Any:
    """Return plain JSON that is a mapping."""
    if isinstance(value, dict):
        return _plain(value)
    raise PydanticCustomError("expected", "a mapping")


def _plain_fault(value: Any) -> tuple[Location, str, Any] | None:
    """Return location, noun and value of the first part that is not plain JSON."""
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                return (), "text keys", key
        parts: Iterable[tuple[int | str, Any]] = value.items()
    elif isinstance(value, list):
        parts = enumerate(value)
    elif isinstance(value, float):
        return None if isfinite(value) else ((), "a finite number", value)
    else:
        return None if isinstance(value, ATOMS) else ((), "plain JSON", value)
    for key, part in parts:
        if type(part) in ATOMS or (type(part) is float and isfinite(part)):
            continue  # most parts; a call for each would take twice as long
        if fault := _plain_fault(part):
            location, noun, culprit = fault
            return (key, *location), noun, culprit
    return None


def _utc(value: str) -> str:
    """Return a time in UTC, ISO 8601, with ``Z`` or ``+00:00``."""
    text = value[:-1] + "+00:00" if value[-1:] == "Z" else value
    if datetime.fromisoformat(text).tzinfo == timezone.utc:
        return value
    raise ValueError


def _text(value: str) -> str:
    """Return text of 1 to 4096 characters; not by pydantic, which refuses lone surrogates."""
    if 1 <= len(value) <= 4096:
        return value
    raise ValueError


Integer: TypeAlias = Annotated[int, Field(le=LARGEST)]
Real: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
Flag: TypeAlias = Annotated[bool, Expected("one of True, False")]
Count: TypeAlias = Annotated[Integer, Field(ge=0), Expected("a whole number of at least 0")]
Positive: TypeAlias = Annotated[Integer, Field(ge=1), Expected("a whole number of at least 1")]
Number: TypeAlias = Annotated[Real, Expected("a finite number")]
NonNegative: TypeAlias = Annotated[Real, Field(ge=0), Expected("a finite number of at least 0")]
Text: TypeAlias = Annotated[str, AfterValidator(_text), Expected("text, not empty")]
Name: TypeAlias = Annotated[
    str, Field(pattern=r"^[^\x00-\x1f]{1,200}$"), Expected("one line of text, up to 200 signs")
]
Hex16: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$"), Expected("16 hex digits")]
Sha256: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$"), Expected("64 hex digits")]
Utc: TypeAlias = Annotated[
    str, AfterValidator(_utc), Expected("a UTC time such as 2026-01-31T12:00:00Z")
]
Plain: TypeAlias = Annotated[Any, PlainValidator(_plain)]
PlainMapping: TypeAlias = Annotated[dict[str, Any], PlainValidator(_plain_mapping)]
