"""The one validator of JSON and YAML documents: pydantic checks, one line names the first fault.

A schema is a type of ``json_types``, or a ``TypedDict`` of them in which ``NotRequired`` marks the
fields that came later. Checks are strict: nothing is converted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, with_config
from typing_extensions import NotRequired, TypedDict, get_type_hints, is_typeddict

from qipo_ray.config.values import show
from qipo_ray.config.yaml_source import Document
from qipo_ray.errors import UserError, nearest

Schema = TypeVar("Schema", bound=BaseModel)


@dataclass(frozen=True)
class Fault:
    """The first fault of a document."""

    kind: Literal["unknown", "missing", "invalid"]
    path: tuple[str, ...]  # of the field, from the outside in
    problem: str  # of an invalid value: "must be ..." or "expected ..."
    value: object
    allowed: tuple[str, ...] = ()  # the keys beside an unknown one

    def line(self, name: str) -> str:
        """Return the fault of the document ``name`` in one line."""
        *above, key = (name, *self.path)
        if self.kind == "unknown":
            return f"{'.'.join(above)}: unknown field {key!r:.60}{nearest(key, self.allowed)}"
        location = ".".join((*above, key))
        if self.kind == "missing":
            return f"{location}: missing"
        return f"{location}: {self.problem}; got {self.value!r:.60}"


class Validator:
    """Checks documents against a schema."""

    def __init__(self, schema: Any, error: type[ValueError] = ValueError) -> None:
        """Prepare for ``schema``; ``check`` raises ``error``."""
        if is_typeddict(schema):
            schema = with_config(ConfigDict(extra="forbid"))(schema)
        self._schema = schema
        self._validate = TypeAdapter(schema).validator.validate_python
        self._error = error

    def check(self, document: object, name: str) -> None:
        """Raise the error, with the first fault in its line, unless the document fits."""
        try:
            self._validate(document, strict=True)
        except ValidationError as error:
            raise self._error(first_fault(self._schema, document, error).line(name)) from None


def read_document(schema: type[Schema], document: Document, title: str) -> Schema:
    """Return a YAML document as ``schema``; ``UserError`` names file, line and key of a fault."""
    if not isinstance(document.value, dict):
        raise UserError(
            f"{document.source}: {title} must be a mapping; got {show(document.value)}"
        )
    try:
        return schema.model_validate(document.value)
    except ValidationError as error:
        fault = first_fault(schema, document.value, error)
    location, key = document.location(*fault.path), ".".join(fault.path)
    if fault.kind == "unknown":
        raise UserError(
            f"{location}: unknown key {show(key)}{nearest(fault.path[-1], fault.allowed)}; "
            f"allowed: {', '.join(fault.allowed)}"
        )
    if fault.kind == "missing":
        raise UserError(f"{location}: missing key {show(key)}")
    raise UserError(f"{location}: {key} {fault.problem}; got {show(fault.value)}")


def first_fault(schema: Any, document: object, error: ValidationError) -> Fault:
    """Return the first fault that pydantic found; unknown keys come before all else."""
    faults = [(_path(details, document), details) for details in error.errors()]
    first, _ = min(faults, key=lambda fault: not _is_unknown(fault[1]))
    below = (fault for fault in faults if fault[0][: len(first)] == first)
    location, details = max(below, key=lambda fault: len(fault[0]))  # of a union's, the deepest
    path, value, text = tuple(map(str, location)), details["input"], details["msg"]
    if _is_unknown(details):
        return Fault("unknown", path, "", value, tuple(_fields(schema, location[:-1])))
    if details["type"] == "missing":
        return Fault("missing", path, "", value)
    if details["type"] == "expected":
        return Fault("invalid", path, f"expected {text}", value)
    if details["type"] == "literal_error":
        names = details["ctx"]["expected"].replace(" or ", ", ")
        return Fault("invalid", path, f"expected one of {names}", value)
    text = text.removeprefix("Value error, ")
    for subject in ("Input", "String", "List"):
        text = text.replace(f"{subject} should", "must")
    return Fault("invalid", path, text, value)


def _path(details: Mapping[str, Any], document: Any) -> tuple[int | str, ...]:
    """Return the keys to a fault, without pydantic's names for the types of a union."""
    keys = []
    for key in details["loc"]:
        try:
            document = document[key]
        except (LookupError, TypeError):
            if details["type"] != "missing":
                continue
        keys.append(key)
    return tuple(keys)


def _is_unknown(details: Mapping[str, Any]) -> bool:
    return details["type"] in ("extra_forbidden", "invalid_key")


def _fields(schema: Any, location: Iterable[int | str]) -> dict[str, Any]:
    """Return the fields at a location of a schema, each with its type."""
    for key in location:
        while (kind := get_origin(schema)) not in (None, dict, list):  # of `Schema | None`
            schema = get_args(schema)[0]
        schema = _hints(schema)[str(key)] if kind is None else get_args(schema)[-1]
    return _hints(schema)


def _hints(schema: Any) -> dict[str, Any]:
    while arguments := get_args(schema):  # of `list[Schema]` and `Schema | None`
        schema = arguments[0]
    if issubclass(schema, BaseModel):
        return {info.alias or name: info.annotation for name, info in schema.model_fields.items()}
    return get_type_hints(schema)


def schema_of(kind: type) -> Any:
    """Return the schema of a dataclass's fields; those with a default may be missing."""
    hints = get_type_hints(kind, include_extras=True)
    for field in dataclasses.fields(kind):
        if field.default is not dataclasses.MISSING:
            hints[field.name] = NotRequired[hints[field.name]]
    return TypedDict(kind.__name__, hints)  # type: ignore[operator]
