"""A search file's ``space``, read: every fault is one line with its place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

from qipo_ray.config import field_names
from qipo_ray.config.facts import marked
from qipo_ray.config.notes import ActingOnly
from qipo_ray.config.values import Range, conform, show
from qipo_ray.config.yaml_source import Document
from qipo_ray.errors import UserError, nearest
from qipo_ray.study.parameter import (
    KINDS,
    SCALES,
    Kind,
    Parameter,
    condition,
    setting_type,
)
from qipo_ray.study.search_spec import flow


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
        if word not in (*KINDS, *SCALES, "when"):
            raise UserError(
                f"{document.location('space', key, word)}: {title}: unknown key {show(word)}"
                f"{nearest(word, (*KINDS, *SCALES, 'when'))}; allowed: "
                f"{', '.join((*KINDS, *SCALES))}, when"
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
    pairs = []
    for above, asked in when.items():
        if isinstance(asked, dict):
            _check_range(asked, document.location("space", key, "when", above), f"{title}.when")
        pairs.append((above, condition(asked)))
    step, log = _scale(key, kind, values, line, document)
    return Parameter(key, kind, values, tuple(pairs), location, step, log)


def _check_range(asked: Mapping[str, Any], location: str, title: str) -> None:
    """Refuse a range that is none: its ends, one or both, are numbers that rise."""
    for word in asked:
        if word not in ("min", "max"):
            hint = nearest(str(word), ("min", "max"))
            raise UserError(
                f"{location}: {title}: unknown key {show(word)}{hint}; a range is {{min: 3}}, "
                "{max: 9} or both"
            )
    ends = list(asked.values())
    numbers = all(type(end) in (int, float) for end in ends)
    if not ends or not numbers or asked.get("min", -math.inf) > asked.get("max", math.inf):
        raise UserError(
            f"{location}: {title}: a range is {{min: 3}}, {{max: 9}} or both, rising; "
            f"got {flow(asked)}"
        )


def _scale(
    key: str, kind: Kind, values: tuple[Any, ...], line: Mapping[str, Any], document: Document
) -> tuple[float | None, bool]:
    """Return the step and whether the scale is logarithmic, of a line that has been read."""

    def refuse(word: str, reason: str) -> UserError:
        location = document.location("space", key, word)
        return UserError(f"{location}: space.{key}.{word}: {reason}")

    log, step = line.get("log", False), line.get("step")
    if not isinstance(log, bool):
        raise refuse("log", f"must be true or false; got {show(log)}")
    if log and kind != "int":
        raise refuse("log", f"goes with int alone; {kind} may be loguniform, choice or grid")
    if log and values[0] < 1:
        raise refuse("log", f"the lowest value must be at least 1; got {values[0]}")
    if step is None:
        return None, log
    if kind not in ("int", "uniform") or log:
        reason = "Optuna has no steps on a logarithmic scale" if "choice" != kind != "grid" else ""
        raise refuse("step", f"goes with int and uniform alone{reason and f': {reason}'}")
    if type(step) not in ((int,) if kind == "int" else (int, float)) or not 0 < step < math.inf:
        raise refuse("step", f"must be a number above 0, for int a whole one; got {show(step)}")
    low, high = values
    count = math.floor((high - low) / step + 1e-9)
    if count < 1 or abs(low + count * step - high) > 1e-9 * abs(step):
        raise refuse(
            "step",
            f"{low:g} and steps of {step:g} come to {low + count * step:g}, not to {high:g}",
        )
    return step if kind == "int" else float(step), log


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
        options = above.options
        if options is None and not isinstance(values, Range):
            raise UserError(
                f"{location}: {title}: {key} must be a choice or a grid, or the condition a range "
                "such as {min: 3}"
            )
        if parameter.kind == "grid" and above.kind != "grid":
            raise UserError(
                f"{location}: {title}: a grid is walked before anything is chosen; {key} must be "
                "a grid too"
            )
        if isinstance(values, Range):
            _check_overlap(values, above, location, title)
            continue
        for value in values:
            if value not in (options or ()):
                raise UserError(
                    f"{location}: {title}: {key} is never {show(value)}; it is one of "
                    f"{', '.join(map(str, above.values))}"
                )


def _check_overlap(asked: Range, above: Parameter, location: str, title: str) -> None:
    """Refuse a range of what is no number, and one that no value comes into."""
    numbers = [value for value in above.values if type(value) in (int, float)]
    if len(numbers) < len(above.values):
        raise UserError(f"{location}: {title}: {above.key} is no number; name its values")
    options = above.options
    low, high = min(numbers), max(numbers)
    comes = asked.low <= high and low <= asked.high
    if options is not None:
        comes = any(option in asked for option in options)
    if not comes:
        raise UserError(
            f"{location}: {title}: {above.key} never comes there; it goes from {low:g} to {high:g}"
        )
