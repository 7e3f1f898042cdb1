"""A search file's ``space``, read: every fault is one line with its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from qipo_ray.config import field_names
from qipo_ray.config.values import conform, show
from qipo_ray.config.yaml_source import Document
from qipo_ray.errors import UserError, nearest
from qipo_ray.study.parameter import KINDS, Kind, Parameter, setting_type


def read_parameters(space: Mapping[str, Any], document: Document) -> tuple[Parameter, ...]:
    """Return the parameters of a file's ``space``, each after those that its ``when`` names.

    ``UserError`` with file and line for any fault.
    """
    read = {key: _read(key, line, document) for key, line in space.items()}
    for parameter in read.values():
        _check_when(parameter, read, document)
    ordered: dict[str, Parameter] = {}
    while len(ordered) < len(read):
        ready = [
            parameter
            for key, parameter in read.items()
            if key not in ordered and all(above in ordered for above, _ in parameter.when)
        ]
        if not ready:
            left = next(parameter for key, parameter in read.items() if key not in ordered)
            raise UserError(f"{left.place}: space.{left.key}: its 'when' leads back to itself")
        ordered.update({parameter.key: parameter for parameter in ready})
    return tuple(ordered.values())


def check_key(key: str, where: str, title: str) -> None:
    """Raise ``UserError`` unless ``key`` is a setting that may differ between trials."""
    if key not in field_names():
        raise UserError(f"{where}: {title}: unknown key {show(key)}{nearest(key, field_names())}")
    if key.startswith("evaluation."):
        raise UserError(
            f"{where}: {title}: {key} says how runs are measured, which is the same for every "
            "trial; give it under 'set'"
        )


def _read(key: str, line: Any, document: Document) -> Parameter:
    """Return the parameter of one line, its ``when`` not yet checked."""
    place, title = document.place("space", key), f"space.{key}"
    check_key(key, place, "space")
    if not isinstance(line, dict):
        raise UserError(
            f"{place}: {title} must be a mapping such as {{choice: [1, 2]}}; got {show(line)}"
        )
    for word in line:
        if word not in (*KINDS, "when"):
            raise UserError(
                f"{document.place('space', key, word)}: {title}: unknown key {show(word)}"
                f"{nearest(word, (*KINDS, 'when'))}; allowed: {', '.join(KINDS)}, when"
            )
    kinds = [word for word in line if word in KINDS]
    if len(kinds) != 1:
        got = " and ".join(kinds) or "none"
        raise UserError(f"{place}: {title} needs one of {', '.join(KINDS)}; got {got}")
    kind = cast(Kind, kinds[0])
    values = _values(key, kind, line[kind], document)
    when = line.get("when", {})
    if not isinstance(when, dict):
        raise UserError(
            f"{document.place('space', key, 'when')}: {title}.when must be a mapping such as "
            f"{{behaviour.path: ot}}; got {show(when)}"
        )
    pairs = tuple((k, tuple(v) if isinstance(v, list) else (v,)) for k, v in when.items())
    return Parameter(key, kind, values, pairs, place)


def _values(key: str, kind: Kind, given: Any, document: Document) -> tuple[Any, ...]:
    """Return the options or the two bounds of a line, as the setting's type."""
    place, title = document.place("space", key, kind), f"space.{key}.{kind}"
    if not isinstance(given, list) or not given:
        raise UserError(f"{place}: {title} must be a list of values; got {show(given)}")
    values = []
    for i, value in enumerate(given):
        try:
            values.append(conform(setting_type(key), value))
        except ValueError as problem:
            raise UserError(
                f"{document.place('space', key, kind, str(i))}: {title} {problem}"
            ) from None
    if kind in ("choice", "grid"):
        doubled = next((value for value in values if values.count(value) > 1), None)
        if doubled is not None:
            raise UserError(f"{place}: {title} has {show(doubled)} twice")
        return tuple(values)
    wanted, wrong = (
        (int, "a whole number; use int") if kind != "int" else (float, "not one; use uniform")
    )
    if not all(type(value) in (int, float) for value in values):
        raise UserError(f"{place}: {title}: {key} is no number; use choice")
    if any(type(value) is wanted for value in values):
        raise UserError(f"{place}: {title}: {key} is {wrong}")
    if len(values) != 2 or not values[0] < values[1]:
        raise UserError(
            f"{place}: {title} must be its lowest and its highest value; got {given!r:.60}"
        )
    if kind == "loguniform" and values[0] <= 0:
        raise UserError(f"{place}: {title}: the lowest value must be above 0; got {values[0]:g}")
    return tuple(values)


def _check_when(parameter: Parameter, read: Mapping[str, Parameter], document: Document) -> None:
    """Refuse a ``when`` that names what is not searched, or a value that never comes."""
    for key, values in parameter.when:
        place = document.place("space", parameter.key, "when", key)
        title = f"space.{parameter.key}.when"
        above = read.get(key)
        if above is None or above is parameter:
            raise UserError(
                f"{place}: {title}: {show(key)} is not searched beside it{nearest(key, read)}"
            )
        if above.kind not in ("choice", "grid"):
            raise UserError(f"{place}: {title}: {key} must be a choice or a grid")
        if parameter.kind == "grid" and above.kind != "grid":
            raise UserError(
                f"{place}: {title}: a grid is walked before anything is chosen; {key} must be "
                "a grid too"
            )
        for value in values:
            if value not in above.values:
                raise UserError(
                    f"{place}: {title}: {key} is never {show(value)}; it is one of "
                    f"{', '.join(map(str, above.values))}"
                )
