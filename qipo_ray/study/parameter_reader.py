"""A search file's ``space``, read: every fault is one line with its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from qipo_ray.config import field_names
from qipo_ray.config.facts import marked
from qipo_ray.config.notes import ActingOnly
from qipo_ray.config.values import conform, show
from qipo_ray.config.yaml_source import Document
from qipo_ray.errors import UserError, nearest
from qipo_ray.study.parameter import KINDS, Kind, Parameter, setting_type


def read_parameters(space: Mapping[str, Any], document: Document) -> tuple[Parameter, ...]:
    """Return the parameters of a file's ``space``, each after those that its ``when`` names.

    ``UserError`` with file and line for any fault.
    """
    parameters = {key: _read(key, line, document) for key, line in space.items()}
    for parameter in parameters.values():
        _check_when(parameter, parameters, document)
    ordered: dict[str, Parameter] = {}
    while len(ordered) < len(parameters):
        ready = [
            parameter
            for key, parameter in parameters.items()
            if key not in ordered and all(above in ordered for above, _ in parameter.when)
        ]
        if not ready:
            left = next(parameter for key, parameter in parameters.items() if key not in ordered)
            raise UserError(f"{left.location}: space.{left.key}: its 'when' leads back to itself")
        ordered.update({parameter.key: parameter for parameter in ready})
    return tuple(ordered.values())


def varies(key: str) -> bool:
    """Return whether a setting may differ between trials: it changes what they are scored by."""
    return not key.startswith(("evaluation.", "distil.")) and key not in marked(ActingOnly)


def check_key(key: str, location: str, title: str) -> None:
    """Raise ``UserError`` unless ``key`` is a setting that may differ between trials."""
    if key not in field_names():
        raise UserError(
            f"{location}: {title}: unknown key {show(key)}{nearest(key, field_names())}"
        )
    if not varies(key):
        raise UserError(
            f"{location}: {title}: {key} says how runs are measured, which is the same for every "
            "trial; give it under 'set'"
        )


def _read(key: str, line: Any, document: Document) -> Parameter:
    """Return the parameter of one line, its ``when`` not yet checked."""
    location, title = document.location("space", key), f"space.{key}"
    check_key(key, location, "space")
    if not isinstance(line, dict):
        raise UserError(
            f"{location}: {title} must be a mapping such as {{choice: [1, 2]}}; got {show(line)}"
        )
    for word in line:
        if word not in (*KINDS, "when"):
            raise UserError(
                f"{document.location('space', key, word)}: {title}: unknown key {show(word)}"
                f"{nearest(word, (*KINDS, 'when'))}; allowed: {', '.join(KINDS)}, when"
            )
    kinds = [word for word in line if word in KINDS]
    if len(kinds) != 1:
        got = " and ".join(kinds) or "none"
        raise UserError(f"{location}: {title} needs one of {', '.join(KINDS)}; got {got}")
    kind = cast(Kind, kinds[0])
    values = _values(key, kind, line[kind], document)
    when = line.get("when", {})
    if not isinstance(when, dict):
        raise UserError(
            f"{document.location('space', key, 'when')}: {title}.when must be a mapping such as "
            f"{{behaviour.path: ot}}; got {show(when)}"
        )
    pairs = tuple((k, tuple(v) if isinstance(v, list) else (v,)) for k, v in when.items())
    return Parameter(key, kind, values, pairs, location)


def _values(key: str, kind: Kind, options: Any, document: Document) -> tuple[Any, ...]:
    """Return the options or the two bounds of a line, as the setting's type."""
    location, title = document.location("space", key, kind), f"space.{key}.{kind}"
    if not isinstance(options, list) or not options:
        raise UserError(f"{location}: {title} must be a list of values; got {show(options)}")
    values = []
    for i, value in enumerate(options):
        try:
            values.append(conform(setting_type(key), value))
        except ValueError as problem:
            raise UserError(
                f"{document.location('space', key, kind, str(i))}: {title} {problem}"
            ) from None
    if kind in ("choice", "grid"):
        doubled = next((value for value in values if values.count(value) > 1), None)
        if doubled is not None:
            raise UserError(f"{location}: {title} has {show(doubled)} twice")
        return tuple(values)
    expected, wrong = (
        (int, "a whole number; use int") if kind != "int" else (float, "not one; use uniform")
    )
    if not all(type(value) in (int, float) for value in values):
        raise UserError(f"{location}: {title}: {key} is no number; use choice")
    if any(type(value) is expected for value in values):
        raise UserError(f"{location}: {title}: {key} is {wrong}")
    if len(values) != 2 or not values[0] < values[1]:
        raise UserError(
            f"{location}: {title} must be its lowest and its highest value; got {options!r:.60}"
        )
    if kind == "loguniform" and values[0] <= 0:
        raise UserError(
            f"{location}: {title}: the lowest value must be above 0; got {values[0]:g}"
        )
    return tuple(values)


def _check_when(
    parameter: Parameter, parameters: Mapping[str, Parameter], document: Document
) -> None:
    """Refuse a ``when`` that names what is not searched, or a value that never comes."""
    for key, values in parameter.when:
        location = document.location("space", parameter.key, "when", key)
        title = f"space.{parameter.key}.when"
        above = parameters.get(key)
        if above is None or above is parameter:
            raise UserError(
                f"{location}: {title}: {show(key)} is not searched beside it"
                f"{nearest(key, parameters)}"
            )
        if above.kind not in ("choice", "grid"):
            raise UserError(f"{location}: {title}: {key} must be a choice or a grid")
        if parameter.kind == "grid" and above.kind != "grid":
            raise UserError(
                f"{location}: {title}: a grid is walked before anything is chosen; {key} must be "
                "a grid too"
            )
        for value in values:
            if value not in above.values:
                raise UserError(
                    f"{location}: {title}: {key} is never {show(value)}; it is one of "
                    f"{', '.join(map(str, above.values))}"
                )
