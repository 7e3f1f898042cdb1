"""From a preset, a file and overrides to a ``Config``; a fault is one line with its location."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from qipo_ray.config.facts import later_settings, marks
from qipo_ray.config.notes import Plain, Since
from qipo_ray.config.own_methods import (
    own_names,
    own_sections,
    standing,
    use_installed,
    use_named,
)
from qipo_ray.config.schema import SECTIONS, Config, field_names
from qipo_ray.config.section import FieldError, field_types
from qipo_ray.config.values import conform, show
from qipo_ray.config.yaml_source import Document, parse_yaml, read_yaml
from qipo_ray.errors import UserError, nearest


def preset_names() -> tuple[str, ...]:
    """Return the names of the presets that ship with the package, sorted."""
    folder = resources.files("qipo_ray.presets")
    names = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


def load_config(source: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Return the configuration of a preset or a YAML file, with ``section.key=value`` overrides.

    A file is a full configuration, or ``preset: NAME`` and the settings that differ. Of two
    overrides of one key the last counts. ``UserError`` names file, line and key of any fault.
    """
    return build(document_of(source, overrides))


def document_of(source: str | Path, overrides: Sequence[str] = ()) -> Document:
    """Return what ``load_config`` reads, with a location for all but a file's preset."""
    document = _expand(_open(source))
    use_named(dict(text.partition("=")[::2] for text in overrides))
    for text in overrides:
        document = _override(document, text)
    return document


def settings_named(source: str | Path) -> frozenset[str]:
    """Return the settings that a file of the user's names; a preset's name says none."""
    if source in preset_names():
        return frozenset()
    return frozenset(".".join(place) for place in document_of(source).locations)


def unless_named(source: str | Path, settings: Mapping[str, Plain]) -> list[str]:
    """Return as overrides those settings, a task's own, that a user's file does not name."""
    named = settings_named(source)
    return [f"{key}={value}" for key, value in settings.items() if key not in named]


def override(config: Config, overrides: Sequence[str]) -> Config:
    """Return ``config`` with ``section.key=value`` overrides; ``UserError`` as in loading."""
    document = Document(to_dict(config), "configuration")
    for text in overrides:
        document = _override(document, text)
    return build(document)


def from_dict(mapping: Mapping[str, object], source: str) -> Config:
    """Return the configuration of a full nested mapping, as ``to_document`` gives it.

    ``source`` says in a ``UserError`` where the mapping came from.
    """
    return build(Document(mapping, source))


def _with_later(mapping: object) -> object:
    """Return a mapping with what those of its settings mean that came later than it."""
    if not isinstance(mapping, Mapping):
        return mapping
    full = dict(mapping)
    for section in own_names():
        present = full.get(section, {})
        if isinstance(present, Mapping):
            full[section] = {**standing(SECTIONS[section]), **present}
    for section, settings in later_settings().items():
        new = len(settings) == len(field_types(SECTIONS[section]))
        present = full.get(section, {} if new else None)
        if isinstance(present, Mapping):
            full[section] = {**settings, **present}
    return full


def to_dict(config: Config) -> dict[str, dict[str, Any]]:
    """Return ``{section: {key: value}}`` of plain numbers, booleans and text."""
    return {name: dict(vars(section)) for name, section in config.sections.items()}


def to_document(config: Config) -> dict[str, dict[str, Any]]:
    """Return ``to_dict`` as files hold it: settings that came later are left out while unused."""
    settings = to_dict(config)
    for dotted, since in marks(Since):
        section, key = dotted.split(".")
        if not since.written and settings.get(section, {}).get(key) == since.value:
            del settings[section][key]
    for section, needed in own_sections(config).items():
        if not needed:
            del settings[section]
    return {section: values for section, values in settings.items() if values}


def _open(source: str | Path) -> Document:
    """Return the document of a preset's name or of a path."""
    if isinstance(source, str) and source in preset_names():
        return _preset(source)
    path = Path(source)
    if isinstance(source, str) and not path.suffix and path.name == source and not path.exists():
        raise UserError(
            f"no preset or file {show(source)}{nearest(source, preset_names())}; "
            f"presets: {', '.join(preset_names())}"
        )
    return _nested(read_yaml(path))


def _nested(document: Document) -> Document:
    """Return a file's document with its dotted keys, ``policy.beta: 3``, below their sections.

    ``UserError`` for a setting that is given both ways.
    """
    if not isinstance(document.value, dict):
        return document
    values = {key: value for key, value in document.value.items() if key not in field_names()}
    locations = dict(document.locations)
    for dotted in document.value.keys() - values.keys():
        section, key = dotted.split(".")
        location = locations.pop((dotted,), document.source)
        below = values.get(section, {})
        if not isinstance(below, dict):
            continue  # the section is refused for that
        if key in below:
            raise UserError(f"{location}: {dotted} is given twice; also under {section!r}")
        values[section] = {**below, key: document.value[dotted]}
        locations[(section, key)] = location
    return Document(values, document.source, locations)


@functools.cache  # no caller writes into a document
def _preset(name: str) -> Document:
    """Return the full document of a preset, named by its short name."""
    text = resources.files("qipo_ray.presets").joinpath(f"{name}.yaml").read_text("utf-8")
    return _expand(parse_yaml(text, f"{name}.yaml"))


def _expand(document: Document) -> Document:
    """Return the document with the settings of its ``preset`` below its own."""
    if not isinstance(document.value, dict) or "preset" not in document.value:
        return document
    settings = dict(document.value)
    name = settings.pop("preset")
    if not isinstance(name, str) or name not in preset_names():
        hint = nearest(name, preset_names()) if isinstance(name, str) else ""
        raise UserError(
            f"{document.location('preset')}: preset must be one of {', '.join(preset_names())}; "
            f"got {show(name)}{hint}"
        )
    merged = dict(_preset(name).value)
    for section, values in settings.items():
        both = isinstance(values, dict) and section in merged
        merged[section] = {**merged[section], **values} if both else values
    return Document(merged, document.source, document.locations)


def _override(document: Document, text: str) -> Document:
    """Return the document with one ``section.key=value`` laid over it."""
    origin = f"--set {text if len(text) <= 80 else text[:77] + '...'}"
    dotted, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"{origin}: expected section.key=value, such as policy.beta=3")
    if dotted not in field_names():
        raise UserError(f"{origin}: unknown key {show(dotted)}{nearest(dotted, field_names())}")
    section, key = dotted.split(".")
    parsed = parse_yaml(value, origin).value
    if not isinstance(document.value, dict):
        return document
    below = document.value.get(section, {})
    if not isinstance(below, dict):
        return document
    merged = {**document.value, section: {**below, key: parsed}}
    return Document(merged, document.source, {**document.locations, (section, key): origin})


def build(document: Document) -> Config:
    """Return the checked configuration of a full document."""
    _make_method_known(document)
    document = dataclasses.replace(document, value=_with_later(document.value))
    sections = _mapping(document, (), tuple(SECTIONS))
    try:
        parts: dict[str, Any] = {}
        for name, section in SECTIONS.items():
            below = dataclasses.replace(document, value=sections[name])
            parts[name] = section(**_mapping(below, (name,), tuple(field_types(section))))
        own = tuple((name, parts.pop(name)) for name in own_names())
        return Config(**parts, own=own)
    except FieldError as problem:
        paths = [tuple(name.split(".")) for name in problem.fields]
        path = next((path for path in paths if path in document.locations), paths[0])
        raise UserError(f"{document.location(*path)}: {problem}") from None


def _make_method_known(document: Document) -> None:
    """Refuse a method that is not known before its settings are: it comes with them."""
    policy = document.value.get("policy") if isinstance(document.value, Mapping) else None
    named = policy.get("method") if isinstance(policy, Mapping) else None
    if isinstance(named, str):
        use_installed(named)
        try:
            conform(field_types(SECTIONS["policy"])["method"], named)
        except ValueError as problem:
            location = document.location("policy", "method")
            raise UserError(f"{location}: policy.method {problem}") from None


def _mapping(
    document: Document, path: tuple[str, ...], names: tuple[str, ...]
) -> Mapping[str, Any]:
    """Return the value as a mapping with exactly the keys ``names``."""
    value, title = document.value, ".".join(path) or "a configuration"
    if not isinstance(value, Mapping):
        raise UserError(
            f"{document.location(*path)}: {title} must be a mapping with the keys "
            f"{', '.join(names)}; got {show(value)}"
        )
    for key in value:
        if key not in names:
            dotted = ".".join((*path, str(key)))
            allowed = field_names() if "." in dotted else (*names, "preset")
            guess = nearest(dotted, allowed)
            if not path and not guess:
                guess = "; settings of a method of your own need qipo-ray --use MODULE:CLASS ..."
            raise UserError(
                f"{document.location(*path, str(key))}: unknown key {show(dotted)}{guess}"
            )
    for name in names:
        if name not in value:
            dotted = ".".join((*path, name))
            raise UserError(
                f"{document.location(*path)}: missing key '{dotted}' "
                "(give it, or start from a preset with 'preset: paper')"
            )
    return value
