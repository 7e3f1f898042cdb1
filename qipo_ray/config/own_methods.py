"""Methods that users bring: ``module:Class``, or the entry point of an installed package.

A module is imported only where the user himself named it: on a command line, in the search file
that he runs, in a call. What a record names is not, unless it is an installed package's name.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Literal, get_args, get_origin

from qipo_ray.config.facts import forget_marks
from qipo_ray.config.method import STAGES, RunMethod
from qipo_ray.config.method_names import METHODS
from qipo_ray.config.notes import Note, Plain, Since
from qipo_ray.config.schema import SECTIONS, Config
from qipo_ray.config.section import Section, field_types
from qipo_ray.config.values import conform, unfold
from qipo_ray.errors import UserError, nearest
from qipo_ray.user_modules import import_from

GROUP = "qipo_ray.methods"  # of entry points; one's name is its method's
CHAINS = (STAGES[2:], (STAGES[0], STAGES[2]), STAGES)  # of stages, each with all that it needs
own_methods: dict[str, tuple[str, ...]] = {}  # by name; the folders that hold their modules


def use_method(named: str, *folders: Path | str) -> type[RunMethod]:
    """Return a method by ``module:Class``, or by an entry point's name, for all that follows.

    Its module is imported: only for a name that the user gave. It is sought beside what is
    installed, in ``folders``, and in the current one. ``UserError`` says what is wrong with it.
    """
    if named in METHODS and ":" not in named:
        return METHODS[named]
    entry = _installed().get(named)
    if entry is None and ":" not in named:
        raise UserError(
            f"method {named!r}: expected module:Class, or one of "
            f"{', '.join([*METHODS, *_installed()])}{nearest(named, [*METHODS, *_installed()])}"
        )
    places = () if entry else tuple(str(folder) for folder in (*folders, Path.cwd()))
    try:
        if entry is None:
            import_from(named.partition(":")[0], places, f"method {named}")
        if named in METHODS:
            return METHODS[named]
        method: type[RunMethod] = resolve_name(named) if entry is None else entry.load()
    except UserError:
        raise
    except Exception as error:  # whatever a module does when it is imported
        reason = " ".join(str(error).split())
        where = f" (sought in {', '.join(places)})" if isinstance(error, ImportError) else ""
        raise UserError(
            f"method {named}: cannot be imported: {type(error).__name__}: {reason:.300}{where}"
        ) from error
    for fault in faults_of(method):
        raise UserError(f"method {named}: {fault}")
    taken = next((other for other in own_methods if METHODS[other].name == method.name), None)
    if taken or method.name in SECTIONS or method.name in METHODS:
        other = taken or "this program"
        raise UserError(f"method {named}: the name {method.name!r} is taken by {other}")
    METHODS[named], own_methods[named] = method, places
    if method.settings is not None:
        method.settings.called = method.name
        SECTIONS[method.name] = method.settings
    forget_marks()
    return method


def use_named(settings: Mapping[str, Any], *folders: Path | str) -> None:
    """Make known the methods that dotted settings of the user's own name, or search over."""
    for key, value in settings.items():
        if key == "policy.method":
            for named in _texts(value):
                if ":" in named or named in _installed():
                    use_method(named, *folders)
        elif (section := str(key).partition(".")[0]) in _installed():
            use_method(section)


def use_installed(named: str) -> None:
    """Make known the method of an installed package that a configuration's document names."""
    if named in _installed():
        use_method(named)


def standing(section: type) -> dict[str, Plain]:
    """Return what the settings of a user's method are where nobody sets them: their notes'.

    Of one that came later, and is marked so, it is what was before.
    """
    values = {}
    for key, hint in field_types(section).items():
        notes = [part for part in get_args(hint) if isinstance(part, Since | Note)]
        values[key] = max(notes, key=lambda part: isinstance(part, Since)).value
    return values


def own_names() -> tuple[str, ...]:
    """Return the names of the sections of users' methods."""
    methods = (METHODS[named] for named in own_methods)
    return tuple(method.name for method in methods if method.settings is not None)


def as_read(config: Config) -> Config:
    """Return a configuration without the settings of users' methods that are not its own.

    So its record can be read by anybody.
    """
    section = METHODS[config.policy.method].section()
    return dataclasses.replace(config, own=tuple(own for own in config.own if own[0] == section))


def own_sections(config: Config) -> dict[str, bool]:
    """Return the sections of users' methods, and whether a file must hold them.

    It must where the method is the configuration's, or where one of them was set.
    """
    method = METHODS[config.policy.method]
    return {
        name: method.section() == name or vars(section) != standing(type(section))
        for name, section in config.own
    }


def faults_of(method: Any) -> Iterator[str]:
    """Yield what keeps a class from being a method."""
    if not (isinstance(method, type) and issubclass(method, RunMethod)):
        yield f"expected a subclass of RunMethod; got {method!r:.60}"
        return
    for part in ("name", "title", "pack"):
        if not hasattr(method, part):
            yield f"it has no {part}"
            return
    if not re.fullmatch(r"[a-z][a-z0-9_]*", method.name):
        yield f"its name must be small letters, digits and _; got {method.name!r}"
    if method.stages not in CHAINS:
        chains = " or ".join(map(str, CHAINS))
        yield f"its stages must be {chains}; got {method.stages}"
    if method.proposes and "behaviour" not in method.stages:
        yield "it acts through the clone's flow (proposes), and its stages have no behaviour"
    settings: Any = method.settings
    if settings is not None:
        yield from _settings_faults(settings, method.learns)
    elif method.learns and method.section() is None:
        yield "it has no settings, of which `updates` is the length of its stage"


def _settings_faults(settings: type, learns: bool) -> Iterator[str]:
    hints = field_types(settings)
    if Section not in settings.__mro__ or not hasattr(settings, "__dataclass_fields__"):
        yield f"its settings must be a dataclass of Section; got {settings!r:.60}"
        return
    if learns and "updates" not in hints:
        yield "its settings have no `updates`, the length of its stage"
    for key, hint in hints.items():
        yield from _setting_faults(key, hint)


def _setting_faults(key: str, hint: Any) -> Iterator[str]:
    notes = [part for part in get_args(hint) if isinstance(part, Note)]
    since = next((part for part in get_args(hint) if isinstance(part, Since)), None)
    if len(notes) != 1:
        yield f"its setting {key} has no note, such as Ours(3.0, 'what it means, and its unit')"
        return
    kind, _ = unfold(hint)
    if kind not in (bool, int, float) and get_origin(kind) is not Literal:
        yield f"its setting {key} must be a bool, an int, a float or a Literal of texts"
        return
    for value in (notes[0].value, since.value if since else notes[0].value):
        try:
            conform(hint, value)
        except ValueError as problem:
            yield f"its setting {key}, by its note: {problem}"


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in a value, or in a search space's line of values."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(part)


@functools.cache
def _installed() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}
