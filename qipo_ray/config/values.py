"""One value against its declared type: ``int``, ``float``, ``bool`` or a name, with a range.

A range is declared once, beside the field: ``beta: Annotated[float, Range(0, 1e9)]``. Not checked
by pydantic: a setting is converted (``1e6`` to a whole number, ``-0.0`` to ``0.0``), and its error
line names kind and range together.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin

from qipo_ray.errors import nearest


@dataclass(frozen=True)
class Range:
    """The allowed numbers ``low <= x <= high``; an open end excludes its bound."""

    low: float
    high: float
    open_low: bool = False
    open_high: bool = False

    def __contains__(self, value: float) -> bool:
        """Return whether ``value`` lies in the range; NaN never does."""
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        return above and below

    def __str__(self) -> str:
        """Return the range in words for an error line: ``above 0 and at most 1``."""
        low = f"{'above' if self.open_low else 'at least'} {self.low:g}"
        return f"{low} and {'below' if self.open_high else 'at most'} {self.high:.9g}"


@dataclass(frozen=True, eq=False)
class Names:
    """The allowed texts, which may become more while the program runs."""

    allowed: Collection[str]

    def hint(self, value: str) -> str:
        """Return what helps with a text that is not allowed: the nearest one."""
        return nearest(value, self.allowed)


def conform(hint: Any, value: object) -> Any:
    """Return ``value`` as its declared type ``hint``; ``ValueError`` says what was expected.

    A whole float counts as an int, an int as a float; a bool is never a number, and NaN and
    infinity are no values. ``-0.0`` becomes ``0.0``, so that equal settings have equal keys.
    """
    return conform_to(*unfold(hint), value)


def conform_to(kind: Any, limits: Range | Names | None, value: object) -> Any:
    """Return ``value`` as ``conform`` does, for an annotation that was unfolded before."""
    names = Names(get_args(kind)) if get_origin(kind) is Literal else limits
    if isinstance(names, Names):
        if isinstance(value, str) and value in names.allowed:
            return value
        guess = names.hint(value) if isinstance(value, str) else ""
        raise ValueError(f"must be one of {', '.join(names.allowed)}; got {show(value)}{guess}")
    if kind is bool:
        if isinstance(value, bool):
            return value
        raise ValueError(f"must be true or false; got {show(value)}")
    number = _number(kind, value)
    limits = limits if isinstance(limits, Range) else None
    if number is None or (limits is not None and number not in limits):
        noun = "a whole number" if kind is int else "a finite number"
        raise ValueError(f"must be {noun}{f' {limits}' if limits else ''}; got {show(value)}")
    return number


def unfold(hint: Any) -> tuple[Any, Range | Names | None]:
    """Return the bare type and the range or names of an annotation, None if it has neither."""
    if get_origin(hint) is Annotated:
        kind, *extras = get_args(hint)
        return kind, next((extra for extra in extras if isinstance(extra, Range | Names)), None)
    return hint, None


def _number(kind: type, value: object) -> float | int | None:
    """Return ``value`` as a finite ``kind``, or None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if kind is int:
        return int(value) if isinstance(value, int) or value.is_integer() else None
    try:
        number = float(value) + 0.0
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def show(value: object) -> str:
    """Return a short one-line text of any received value."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = repr(value) if not isinstance(value, int) or abs(value) < 10**20 else "a huge number"
    return text if len(text) <= 60 else text[:57] + "..."
