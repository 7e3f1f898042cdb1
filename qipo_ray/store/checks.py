"""Checks of JSON documents, compiled: thousands of good ones pass in no time, a bad one is named.

A check is a tree. ``judged`` makes one flat function of it that says whether a value is good;
only what that refuses is gone through again, part by part, to name the first field that is wrong.
"""

from __future__ import annotations

import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from qipo_ray.errors import nearest

LARGEST = sys.float_info.max  # beyond it a number is not finite
NO_OFFSET = timedelta(0)
CERTAIN = {str, int, bool, type(None)}  # types of which every value is plain JSON


class RecordError(ValueError):
    """A document that breaks its schema, or another one under its id; the text names the field."""


class Misfit(Exception):
    """What is wrong with a value, and where: the keys from the inside out."""

    def __init__(self, problem: str, *place: str) -> None:
        super().__init__(problem)
        self.problem, self.place = problem, list(place)


class Check(ABC):
    """What a value must be."""

    @abstractmethod
    def lines(self, x: str, code: Code) -> list[str]:
        """Return statements of a function that returns False unless its variable ``x`` is good."""

    @abstractmethod
    def judge(self, value: Any) -> None:
        """Raise ``Misfit`` unless the value is good."""

    @cached_property
    def fits(self) -> Callable[[Any], bool]:
        """The compiled function that says whether a value is good."""
        code = Code()
        body = ["def fits(x):", *_indented([*self.lines("x", code), "return True"])]
        exec("\n".join(body), code.constants)
        compiled: Callable[[Any], bool] = code.constants["fits"]
        return compiled


@dataclass
class Code:
    """A function in the making: the objects that it uses, and its variables."""

    constants: dict[str, Any] = field(default_factory=dict)
    variables: int = 0

    def constant(self, thing: object) -> str:
        """Return the name of an object."""
        name = f"c{len(self.constants)}"
        self.constants[name] = thing
        return name

    def variable(self) -> str:
        """Return a name of its own."""
        self.variables += 1
        return f"x{self.variables}"


@dataclass(frozen=True)
class Leaf(Check):
    """A value by itself: ``good`` is an expression of ``{x}``, and of ``{f}`` if it calls one."""

    good: str
    expected: str
    f: Callable[[Any], object] | None = None

    def lines(self, x: str, code: Code) -> list[str]:
        """Return the expression's test."""
        good = self.good.format(x=x, f=code.constant(self.f) if self.f else "")
        return [f"if not ({good}): return False"]

    def judge(self, value: Any) -> None:
        """Say what was expected."""
        if not self.fits(value):
            raise Misfit(f"expected {self.expected}; got {value!r:.60}")


@dataclass(frozen=True)
class Fields(Check):
    """A mapping with exactly these keys; those ``later`` may be missing, as in older files."""

    checks: Mapping[str, Check]
    later: Mapping[str, Check] = field(default_factory=dict)

    def lines(self, x: str, code: Code) -> list[str]:
        """Return the test of the keys, then those of the fields."""
        keys, later = code.constant(self.checks.keys()), code.constant(self.later.keys())
        given = f"{x}.keys() - {later}" if self.later else f"{x}.keys()"
        found = [f"if not isinstance({x}, dict) or {given} != {keys}: return False"]
        for key, check in self.checks.items():
            y = code.variable()
            found += [f"{y} = {x}[{key!r}]", *check.lines(y, code)]
        for key, check in self.later.items():
            y = code.variable()
            lines = [f"{y} = {x}[{key!r}]", *check.lines(y, code)]
            found += [f"if {key!r} in {x}:", *_indented(lines)]
        return found

    def judge(self, value: Any) -> None:
        """Name the first unknown key, the first missing one, or the first field that is wrong."""
        if not isinstance(value, dict):
            raise Misfit(f"expected a mapping; got {value!r:.60}")
        known = {**self.checks, **self.later}
        for key in value:
            if key not in known:
                raise Misfit(f"unknown field {key!r:.60}{nearest(str(key), known)}")
        for key, check in self.checks.items():
            if key not in value:
                raise Misfit("missing", key)
            _within(check.judge, key, value[key])
        for key, check in self.later.items():
            if key in value:
                _within(check.judge, key, value[key])


@dataclass(frozen=True)
class Many(Check):
    """A list of which every item is good."""

    item: Check

    def lines(self, x: str, code: Code) -> list[str]:
        """Return a loop over the items."""
        y = code.variable()
        return [
            f"if not isinstance({x}, list): return False",
            f"for {y} in {x}:",
            *_indented(self.item.lines(y, code)),
        ]

    def judge(self, value: Any) -> None:
        """Name the first item that is wrong."""
        if not isinstance(value, list):
            raise Misfit(f"expected a list; got {value!r:.60}")
        for number, item in enumerate(value):
            _within(self.item.judge, number, item)


@dataclass(frozen=True)
class Maybe(Check):
    """Null, or what another check lets pass."""

    item: Check

    def lines(self, x: str, code: Code) -> list[str]:
        """Return the other check's lines for what is not null."""
        return [f"if {x} is not None:", *_indented(self.item.lines(x, code))]

    def judge(self, value: Any) -> None:
        """Say what the other check says."""
        if value is not None:
            self.item.judge(value)


@dataclass(frozen=True)
class Either(Check):
    """What one of two checks lets pass; the one that got further says why not."""

    first: Check
    second: Check

    def lines(self, x: str, code: Code) -> list[str]:
        """Return calls of both, which have their own lines."""
        first, second = (code.constant(one.fits) for one in (self.first, self.second))
        return [f"if not ({first}({x}) or {second}({x})): return False"]

    def judge(self, value: Any) -> None:
        """Say what the check says that got further."""
        try:
            self.first.judge(value)
        except Misfit as one:
            try:
                self.second.judge(value)
            except Misfit as other:
                raise max(one, other, key=lambda found: len(found.place)) from None


def judged(check: Check) -> Callable[[Any, str], None]:
    """Return a function (value, name) that raises ``RecordError`` unless the value is good."""

    def judge(value: Any, name: str) -> None:
        if check.fits(value):
            return
        try:
            check.judge(value)
        except Misfit as found:
            place = ".".join((name, *reversed(found.place)))
            raise RecordError(f"{place}: {found.problem}") from None
        raise AssertionError(f"{name}: refused, but no part of it is wrong")

    return judge


def one_of(*allowed: str | int) -> Check:
    """Return a check for exactly these values, all of one type; ``True`` is not 1."""
    kind = type(allowed[0]).__name__
    expected = "one of " + ", ".join(map(repr, allowed))
    return Leaf(f"type({{x}}) is {kind} and {{x}} in {allowed!r}", expected)


def number(low: float = -LARGEST, *, whole: bool = False) -> Check:
    """Return a check for a finite number of at least ``low``; a bool is none."""
    kinds = "type({x}) is int" if whole else "(type({x}) is float or type({x}) is int)"
    least = "" if low == -LARGEST else f" of at least {low:g}"
    noun = "a whole number" if whole else "a finite number"
    return Leaf(f"{kinds} and {low!r} <= {{x}} <= {LARGEST!r}", noun + least)


def text(pattern: str = r"(?s).{1,4096}", noun: str = "text, not empty") -> Check:
    """Return a check for text that a pattern matches as a whole; ``noun`` says which text."""
    return Leaf("isinstance({x}, str) and {f}({x})", noun, re.compile(pattern).fullmatch)


@dataclass(frozen=True)
class Free(Check):
    """Free JSON: text keys, finite numbers, no other types; perhaps a mapping at the top."""

    mapping: bool = False

    def lines(self, x: str, code: Code) -> list[str]:
        """Return a call that goes through the value."""
        kind = f"isinstance({x}, dict) and " if self.mapping else ""
        return [f"if not ({kind}{code.constant(_is_plain)}({x})): return False"]

    def judge(self, value: Any) -> None:
        """Name the first part that is wrong."""
        if isinstance(value, dict):
            for key, item in value.items():
                if not isinstance(key, str):
                    raise Misfit(f"expected text keys; got {key!r:.60}")
                _within(PLAIN.judge, key, item)
        elif self.mapping:
            raise Misfit(f"expected a mapping; got {value!r:.60}")
        elif isinstance(value, list):
            for number, item in enumerate(value):
                _within(PLAIN.judge, number, item)
        elif not _is_plain(value):
            noun = "a finite number" if isinstance(value, float) else "plain JSON"
            raise Misfit(f"expected {noun}; got {value!r:.60}")


def _is_plain(value: Any) -> bool:
    """Say whether a value is free JSON."""
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                return False
        return _are_plain(value.values())
    if isinstance(value, list):
        return _are_plain(value)
    if isinstance(value, float):
        return -LARGEST <= value <= LARGEST
    return isinstance(value, (str, int, type(None)))


def _are_plain(values: Iterable[Any]) -> bool:
    for value in values:  # noqa: SIM110 - a generator takes twice as long
        if type(value) not in CERTAIN and not _is_plain(value):
            return False
    return True


def _is_utc(value: Any) -> bool:
    """Say whether a value is a time in UTC, ISO 8601, with ``Z`` or ``+00:00``."""
    try:
        full = value[:-1] + "+00:00" if value[-1:] == "Z" else value
        return datetime.fromisoformat(full).utcoffset() == NO_OFFSET
    except (ValueError, TypeError, KeyError):
        return False


def _within(judge: Callable[[Any], None], key: object, value: Any) -> None:
    """Judge what stands under a key; what is wrong with it is wrong there."""
    try:
        judge(value)
    except Misfit as found:
        found.place.append(str(key))
        raise


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines]


PLAIN, MAPPING = Free(), Free(mapping=True)
UTC = Leaf("{f}({x})", "a UTC time such as 2026-01-31T12:00:00Z", _is_utc)
COUNT = number(0, whole=True)
SHA256 = text(r"[0-9a-f]{64}", "64 hex digits")
HEX16 = text(r"[0-9a-f]{16}", "16 hex digits")
NAME = text(r"[^\x00-\x1f]{1,200}", "one line of text, up to 200 signs")
