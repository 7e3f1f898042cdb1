"""The JSON Schema of search files: an editor completes their keys, and says what each means."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

from qipo_ray.config.facts import field_notes
from qipo_ray.config.values import Names, Range, unfold
from qipo_ray.study.acting_reader import acting_keys
from qipo_ray.study.parameter import setting_type
from qipo_ray.study.parameter_reader import varies
from qipo_ray.study.search_file_schema import SearchFile

DRAFT = "https://json-schema.org/draft/2020-12/schema"
OWN_METHOD = r"^[\w.]+:\w+$"  # module:Class


def search_file_schema() -> dict[str, Any]:
    """Return the schema of a search file, with every setting's type, range and note."""
    schema = SearchFile.model_json_schema(by_alias=True)
    settings = {key: _setting(key) for key in field_notes()}
    schema["$defs"] |= {
        "settings": {
            "type": "object",
            "properties": {key: _ref(f"setting {key}") for key in settings},
            "additionalProperties": False,
        },
        **{f"setting {key}": value for key, value in settings.items()},
    }
    properties = schema["properties"]
    properties["set"] |= _ref("settings")
    properties["paper"] = {**_ref("settings"), "description": properties["paper"]["description"]}
    properties["baselines"]["additionalProperties"] = _ref("settings")
    properties["acting"]["additionalProperties"] = {
        "type": "object",
        "properties": {key: _ref(f"setting {key}") for key in acting_keys()},
        "additionalProperties": False,
    }
    properties["space"] |= {
        "properties": {key: _line(key, value) for key, value in settings.items() if varies(key)},
        "additionalProperties": False,
    }
    return {"$schema": DRAFT, **schema}


def _setting(key: str) -> dict[str, Any]:
    """Return the schema of one value of a setting."""
    kind, limits = unfold(setting_type(key))
    note = field_notes()[key]
    said = {"description": f"{note.text} ({note.source}: {note.value})"}
    if isinstance(limits, Names):
        own = {"type": "string", "pattern": OWN_METHOD}
        return {**said, "anyOf": [{"enum": sorted(limits.allowed)}, own]}
    if get_origin(kind) is Literal:
        return {**said, "enum": list(get_args(kind))}
    names = {bool: "boolean", int: "integer", float: "number"}
    return {**said, "type": names[kind], **(_bounds(limits) if limits else {})}


def _bounds(limits: Range) -> dict[str, float]:
    low = "exclusiveMinimum" if limits.open_low else "minimum"
    high = "exclusiveMaximum" if limits.open_high else "maximum"
    return {low: limits.low, high: limits.high}


def _line(key: str, setting: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a line of ``space``: one kind, its values, and perhaps ``when``."""
    kinds = {"integer": ["int"], "number": ["uniform", "loguniform"]}.get(
        setting.get("type", ""), []
    )
    value = _ref(f"setting {key}")
    scales: dict[str, Any] = {"step": {"type": "number", "exclusiveMinimum": 0}} if kinds else {}
    if kinds == ["int"]:
        scales["log"] = {"type": "boolean"}
    lists: dict[str, Any] = {
        **{name: {"type": "array", "items": value, "minItems": 1} for name in ("choice", "grid")},
        **{
            name: {"type": "array", "items": value, "minItems": 2, "maxItems": 2} for name in kinds
        },
    }
    return {
        "description": setting["description"],
        "type": "object",
        "properties": {**lists, **scales, "when": {"type": "object"}},
        "additionalProperties": False,
        "oneOf": [{"required": [name]} for name in lists],
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/$defs/{name}"}
