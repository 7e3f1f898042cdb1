"""A search space: what one line of it says, and every point that some lines span together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

from qipo_ray.config.schema import SECTIONS
from qipo_ray.config.section import field_types
from qipo_ray.config.values import Range, conform, show

Kind = Literal["choice", "grid", "int", "uniform", "loguniform"]
KINDS: tuple[str, ...] = get_args(Kind)
SCALES = ("step", "log")  # that a line may have beside its kind
Condition = tuple[Any, ...] | Range


@dataclass(frozen=True)
class Parameter:
    """A setting that is searched; ``values`` are its options, or its lowest and highest value."""

    key: str  # dotted, as in a configuration
    kind: Kind
    values: tuple[Any, ...]
    when: tuple[tuple[str, Condition], ...]  # searched only while each key has such a value
    location: str = field(compare=False)  # file and line
    step: float | None = None  # of int and uniform, from the lowest value; None: 1, or a continuum
    log: bool = False  # of int; loguniform is one of its own

    @classmethod
    def from_document(cls, key: str, document: object, location: str) -> Parameter:
        """Return the parameter that ``document()`` gave; ``ValueError`` if it never did."""
        line = document if isinstance(document, Mapping) else {}
        kinds = [kind for kind in KINDS if kind in line]
        values: Any = line.get(kinds[0]) if kinds else None
        when: Any = line.get("when", {})
        fine = len(kinds) == 1 and isinstance(values, list) and isinstance(when, Mapping)
        if not fine or not all(isinstance(options, list | Mapping) for options in when.values()):
            raise ValueError(f"space.{key}: no parameter: {show(document)}")
        bounds = kinds[0] not in ("choice", "grid")
        numbers = [*values, line.get("step", 1)] if bounds else [0, 0, 0]
        if [type(value) in (int, float) for value in numbers] != [True, True, True]:
            raise ValueError(f"space.{key}: no bounds: {show(values)}")
        pairs = tuple((above, condition(options)) for above, options in when.items())
        scale = line.get("step"), line.get("log") is True
        return cls(key, cast(Kind, kinds[0]), tuple(values), pairs, location, *scale)

    @property
    def options(self) -> Sequence[Any] | None:
        """Return all values, in order; None where they are a continuum."""
        if self.kind in ("choice", "grid"):
            return self.values
        low, high = self.values
        if self.kind == "int":
            return range(low, high + 1, int(self.step or 1))
        if self.step is None:
            return None
        return [self.at(low + i * self.step) for i in range(round((high - low) / self.step) + 1)]

    def at(self, value: float) -> float:
        """Return a value as short as it is read and typed: four digits, or those of its step."""
        short = float(f"{value:.4g}") if self.step is None else round(value, 12)
        low, high = self.values
        return float(min(high, max(low, short)))

    def active(self, params: Mapping[str, Any]) -> bool:
        """Return whether the parameter is searched beside these values of those before it."""
        return all(key in params and params[key] in values for key, values in self.when)

    def check(self, value: object) -> Any:
        """Return ``value`` as the setting's type; ``ValueError`` if it lies outside the space."""
        fitting = conform(setting_type(self.key), value)
        low, high = self.values[0], self.values[-1]
        if self.kind in ("choice", "grid"):
            if fitting not in self.values:
                options = ", ".join(map(str, self.values))
                raise ValueError(f"must be one of {options}; got {show(value)}")
        elif not low <= fitting <= high:
            bounds = f"from {low} to {high}" if self.kind == "int" else f"from {low:g} to {high:g}"
            raise ValueError(f"must be {bounds}; got {show(value)}")
        elif self.step is not None and not _whole((fitting - low) / self.step):
            raise ValueError(f"must be {low:g} or steps of {self.step:g} above; got {show(value)}")
        return fitting

    def document(self) -> dict[str, Any]:
        """Return the line as plain data, as in a search file."""
        plain: dict[str, Any] = {self.kind: list(self.values)}
        if self.step is not None:
            plain["step"] = self.step
        if self.log:
            plain["log"] = True
        if self.when:
            plain["when"] = {key: _plain(values) for key, values in self.when}
        return plain


def condition(document: object) -> Condition:
    """Return what a ``when`` asks of a value: one of some, or one in ``{min: 3, max: 9}``."""
    if isinstance(document, Mapping):
        return Range(document.get("min", -math.inf), document.get("max", math.inf))
    return tuple(document) if isinstance(document, list) else (document,)


def _plain(asked: Condition) -> Any:
    if not isinstance(asked, Range):
        return list(asked)
    ends = {"min": asked.low, "max": asked.high}
    return {name: value for name, value in ends.items() if math.isfinite(value)}


def _whole(count: float) -> bool:
    return math.isclose(count, round(count), abs_tol=1e-6)


def setting_type(key: str) -> Any:
    """Return the declared type of a dotted setting, with its range."""
    section, name = key.split(".")
    return field_types(SECTIONS[section])[name]


def points(parameters: Sequence[Parameter]) -> Iterator[dict[str, Any]]:
    """Yield every choice of options, the last parameter fastest; ``when`` is obeyed.

    A parameter follows those that its ``when`` names. None of them may be a continuum.
    """

    def walk(rest: Sequence[Parameter], params: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if not rest:
            yield params
        elif not rest[0].active(params):
            yield from walk(rest[1:], params)
        else:
            for option in rest[0].options or ():
                yield from walk(rest[1:], {**params, rest[0].key: option})

    return walk(parameters, {})
