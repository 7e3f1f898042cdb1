"""A search file's ``acting``, read: ways to act that its searched configurations are scored by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from qipo_ray.config import Config, FieldError, config_hash, field_names
from qipo_ray.config.facts import marked
from qipo_ray.config.notes import ActingOnly
from qipo_ray.config.values import conform, show
from qipo_ray.config.yaml_source import Document
from qipo_ray.errors import UserError, nearest
from qipo_ray.study.parameter import setting_type
from qipo_ray.study.search_spec import Acting, changed

Entries = Mapping[str, Mapping[str, Any]]  # settings by the name of a way


def acting_keys() -> list[str]:
    """Return the settings that a way to act may change: none of them trains anything."""
    return sorted(marked(ActingOnly))


def read_acting(entries: Entries, document: Document) -> tuple[Acting, ...]:
    """Return the ways of a file; ``UserError`` with file and line for a key or a value."""
    ways = []
    for name, changes in entries.items():
        values: dict[str, Any] = {}
        for key, value in changes.items():
            place = f"{document.location('acting', name, key)}: acting.{name}"
            if key not in acting_keys():
                what = "trains" if key in field_names() else "is unknown"
                raise UserError(
                    f"{place}: {show(key)} {what}{nearest(key, acting_keys())}; a way to act "
                    f"changes only {', '.join(acting_keys())}"
                )
            try:
                values[key] = conform(setting_type(key), value)
            except ValueError as problem:
                raise UserError(f"{place}: {key} {problem}") from None
        ways.append(Acting(name, tuple(values.items())))
    return tuple(ways)


def saved_acting(entries: Entries) -> tuple[Acting, ...]:
    """Return the ways of a specification in a sweep's folder; ``UserError`` for another version's.

    ``ValueError`` for a value that its setting cannot have.
    """
    for name, changes in entries.items():
        for key in changes.keys() - set(acting_keys()):
            raise UserError(f"sweep.acting.{name}: unknown key {show(key)}")
    return tuple(
        Acting(name, tuple((k, conform(setting_type(k), v)) for k, v in changes.items()))
        for name, changes in entries.items()
    )


def check_acting(
    ways: Iterable[Acting], base: Config, configs: Iterable[Config], document: Document
) -> None:
    """Refuse a way by which none of the searched ``configs`` acts, and one that is there twice."""
    searched = list(configs)
    before: dict[tuple[str | None, ...], str] = {}
    for way in ways:
        place = f"{document.location('acting', way.name)}: acting.{way.name}"
        others = [way.of(config) for config in searched]
        effect = tuple(None if other is None else config_hash(other) for other in others)
        if any(effect):
            same = before.setdefault(effect, way.name)
            if same != way.name:
                raise UserError(f"{place}: it is {show(same)} again; a row has one name")
            continue
        try:
            changed(base, dict(way.changes))
        except FieldError as problem:
            raise UserError(f"{place}: {problem}") from None
        raise UserError(f"{place}: it changes nothing of how what is searched acts")
