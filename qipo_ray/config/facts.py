"""What the program asks of the marks beside the fields: a table for each question."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TypeVar, get_args

from qipo_ray.config.notes import Departure, Note, PerMember, Plain, Since
from qipo_ray.config.schema import SECTIONS, field_names
from qipo_ray.config.section import field_types

Mark = TypeVar("Mark")


def marks(kind: type[Mark]) -> Iterator[tuple[str, Mark]]:
    """Yield (dotted name, mark) of all marks of a kind, in the order of the fields."""
    for name, section in SECTIONS.items():
        for key, hint in field_types(section).items():
            for part in get_args(hint):
                if isinstance(part, kind):
                    yield f"{name}.{key}", part


@functools.cache
def field_notes() -> dict[str, Note]:
    """Return the note of every setting by its dotted name, in the order of the sections."""
    return dict(marks(Note))


@functools.cache
def later_settings() -> dict[str, dict[str, Plain]]:
    """Return per section the settings that came after the first records, with what was before.

    Records, files and presets without them mean these values; with them keys stay what they were.
    """
    later: dict[str, dict[str, Plain]] = {}
    for dotted, since in marks(Since):
        section, key = dotted.split(".")
        later.setdefault(section, {})[key] = since.value
    return later


@functools.cache
def marked(kind: type) -> frozenset[str]:
    """Return the dotted settings that have a mark of a kind."""
    return frozenset(dotted for dotted, _ in marks(kind))


@functools.cache
def departure_marks() -> tuple[tuple[str, Departure], ...]:
    """Return the marks of departures in the order in which records hold their labels."""
    position = {dotted: number for number, dotted in enumerate(field_names())}

    def place(pair: tuple[str, Departure]) -> tuple[int, bool]:
        dotted, mark = pair
        return position[mark.after or dotted], bool(mark.after)

    return tuple(sorted(marks(Departure), key=place))


@functools.cache
def pack_columns(section: str) -> frozenset[str]:
    """Return the settings of a section in which the members of one pack may differ."""
    columns = (dotted.split(".") for dotted in marked(PerMember))
    return frozenset(key for name, key in columns if name == section)


def forget_marks() -> None:
    """Make all tables anew: there are other sections now."""
    for table in (field_notes, later_settings, marked, departure_marks, pack_columns):
        table.cache_clear()
