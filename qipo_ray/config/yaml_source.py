"""Strict YAML: plain values, and for each the line that it came from.

Stricter than YAML 1.1: doubled keys, anchors, aliases, tags and merge keys are refused, ``no`` and
``on`` are text, ``1:30`` and ``010`` are not read in base 60 or 8, and ``3e-4`` is a number.

A loader of our own on PyYAML's parser, because no library both names the line of every key and
refuses values that are hidden or repeated.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from qipo_ray.config.values import show
from qipo_ray.errors import UserError

MAX_BYTES = 1_000_000
MAX_DEPTH = 20
MAX_DIGITS = 100


@dataclass(frozen=True)
class Document:
    """A parsed file: ``value`` of plain types, and the line of every key by its path."""

    value: Any
    source: str  # name of the file, or how else the values came in
    locations: Mapping[tuple[str, ...], str] = field(default_factory=dict)

    def location(self, *path: str) -> str:
        """Return ``file.yaml:14`` for the key at ``path``, else for the nearest key above it."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.locations:
                return self.locations[path[:end]]
        return self.source


class _StrictLoader(yaml.SafeLoader):
    """Composes nodes with line marks and refuses what hides or repeats values."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Return the next node; anchors, aliases, tags and deep nests are errors."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise yaml.MarkedYAMLError(
                None, None, "anchors and aliases are not allowed", event.start_mark
            )
        if event.tag is not None:
            raise yaml.MarkedYAMLError(None, None, "tags are not allowed", event.start_mark)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(None, None, "nested too deeply", event.start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9][0-9_]*", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
):
    _StrictLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), _first
    )


def own_yaml(text: str) -> Any:
    """Return what a file of the program's own holds; ``yaml.YAMLError`` for any fault.

    Not by libyaml, which is quicker: the file may be a stranger's, and deep nests crash it.
    """
    return copy.deepcopy(_parsed(text))


@lru_cache(maxsize=8)  # one command reads a specification several times
def _parsed(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except RecursionError:
        raise yaml.YAMLError("nested too deeply") from None


def read_yaml(path: Path) -> Document:
    """Return the contents of a YAML file; ``UserError`` with file and line for any fault."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as problem:
        raise UserError(f"{path}: cannot be read: {problem.strerror}") from None
    if len(data) > MAX_BYTES:
        raise UserError(f"{path}: larger than {MAX_BYTES} bytes; this is no configuration")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        raise UserError(f"{path}:{line}: not UTF-8 text") from None
    return parse_yaml(text, str(path))


def parse_yaml(text: str, source: str) -> Document:
    """Return the document in ``text``; ``source`` names it in the ``UserError`` of any fault."""
    try:
        loader = _StrictLoader(text)
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as problem:
        line = f":{problem.problem_mark.line + 1}" if problem.problem_mark else ""
        raise UserError(f"{source}{line}: {problem.problem or problem.context}") from None
    except yaml.reader.ReaderError as problem:
        line = f":{text.count(chr(10), 0, problem.position) + 1}"
        raise UserError(f"{source}{line}: {problem.reason}") from None
    locations: dict[tuple[str, ...], str] = {}
    value = None if node is None else _plain(node, (), source, locations)
    return Document(value, source, locations)


def _plain(
    node: yaml.Node, path: tuple[str, ...], source: str, locations: dict[tuple[str, ...], str]
) -> Any:
    """Return a node as dict, list or scalar; notes the line of each entry in ``locations``."""
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            location = f"{source}:{key_node.start_mark.line + 1}"
            key = _key(key_node, location)
            inner = (*path, key)
            if key in mapping:
                first = locations[inner].rpartition(":")[2]
                raise UserError(
                    f"{location}: key {show('.'.join(inner))} is given twice "
                    f"(first on line {first})"
                )
            locations[inner] = location
            mapping[key] = _plain(value_node, inner, source, locations)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        items = []
        for i, item in enumerate(node.value):
            inner = (*path, str(i))
            locations[inner] = f"{source}:{item.start_mark.line + 1}"
            items.append(_plain(item, inner, source, locations))
        return items
    return _scalar(node, source)


def _key(node: yaml.Node, location: str) -> str:
    """Return the text of a key, which is any scalar, quoted or not."""
    if not isinstance(node, yaml.ScalarNode) or not node.value:
        raise UserError(f"{location}: a key must be a word")
    return _joined(str(node.value))


def _scalar(node: yaml.Node, source: str) -> object:
    """Return a scalar node as None, bool, int, float or str."""
    kind, text = node.tag.rpartition(":")[2], str(node.value)
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind in ("int", "float"):
        if len(text) > MAX_DIGITS:
            raise UserError(f"{source}:{node.start_mark.line + 1}: number with too many digits")
        digits = text.replace("_", "")
        if kind == "int":
            return int(digits)
        return float(digits.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return _joined(text)


def _joined(text: str) -> str:
    """Return text in which JSON's two halves of one sign, as in an emoji, are that sign."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
