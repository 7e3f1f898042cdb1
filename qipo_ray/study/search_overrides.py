"""What the command line puts in place of lines of a search file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from qipo_ray.config import Document, parse_yaml
from qipo_ray.errors import UserError, nearest
from qipo_ray.study.parameter import KINDS, SCALES

OPTION = "--space"
_LINE = re.compile(r"\s*(?P<key>[^\s=]+)\s*=\s*(?P<kind>\w+)\s*\((?P<values>.*)\)\s*", re.DOTALL)


def replaced(document: Document, key: str, value: Any, source: str) -> Document:
    """Return the document with another value at a top key; its faults are found at ``source``."""
    return _with(document, (key,), {key: value}, source)


def with_report_seeds(document: Document, seeds: str) -> Document:
    """Return the document with other seeds of the confirm step, such as ``100-104``."""
    before = document.value.get("seeds") if isinstance(document.value, dict) else None
    if not isinstance(before, dict):
        return document  # which is refused for that
    values = {"seeds": {**before, "report": seeds}}
    return _with(document, ("seeds", "report"), values, f"--report-seeds {seeds:.80}")


def with_space_lines(document: Document, texts: Sequence[str]) -> Document:
    """Return the document with the lines of ``space`` that texts such as these give or change.

    ``policy.beta=loguniform(0.1, 30)``, ``policy.rounds=int(1, 9, step=2)``. A key keeps its
    ``when``. ``UserError`` for a text that is none.
    """
    for text in texts:
        key, line = _read(text)
        space = document.value.get("space") if isinstance(document.value, dict) else None
        if not isinstance(space, dict):
            return document  # which is refused for that
        before = space.get(key)
        when = {"when": before["when"]} if isinstance(before, dict) and "when" in before else {}
        lines = {**space, key: {**line, **when}}
        document = _with(document, ("space", key), {"space": lines}, f"{OPTION} {text}")
    return document


def _read(text: str) -> tuple[str, dict[str, Any]]:
    """Return key and line of a text; ``UserError`` says what it should be."""
    match = _LINE.fullmatch(text)
    kinds = f"KEY=KIND(VALUES) with KIND one of {', '.join(KINDS)}, as policy.beta=uniform(1,30)"
    if match is None:
        raise UserError(f"{OPTION} {text}: expected {kinds}")
    if match["kind"] not in KINDS:
        hint = nearest(match["kind"], KINDS)
        raise UserError(f"{OPTION} {text}: unknown kind {match['kind']!r}{hint}; expected {kinds}")
    values: list[Any] = parse_yaml(f"[{match['values']}]", f"{OPTION} {text}").value
    line: dict[str, Any] = {match["kind"]: values}
    while values and _is_scale(values[-1]):
        word, _, value = values.pop().partition("=")
        line[word.strip()] = parse_yaml(value, f"{OPTION} {text}").value
    return match["key"], line


def _is_scale(value: object) -> bool:
    return isinstance(value, str) and value.partition("=")[0].strip() in SCALES


def _with(
    document: Document, place: tuple[str, ...], values: Mapping[str, Any], source: str
) -> Document:
    """Return the document with other top values; what lies at ``place`` has another source."""
    if not isinstance(document.value, dict):
        return document
    kept = {
        path: location
        for path, location in document.locations.items()
        if path[: len(place)] != place
    }
    return Document({**document.value, **values}, document.source, {**kept, place: source})
