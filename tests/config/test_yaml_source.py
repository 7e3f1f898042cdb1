from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from qipo_ray.config import parse_yaml, read_yaml
from qipo_ray.errors import UserError


def fault(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_yaml(path)
    return str(caught.value)


def test_values_are_plain_and_every_key_has_its_line() -> None:
    document = parse_yaml("a:\n  b: 3e-4\n  'c': [x, {d: ~}]\ne: no\n", "f.yaml")
    assert document.value == {"a": {"b": 3e-4, "c": ["x", {"d": None}]}, "e": "no"}
    assert document.location("a", "b") == "f.yaml:2"
    assert document.location("a", "c", "1", "d") == "f.yaml:3"
    assert document.location("a", "z") == "f.yaml:1" and document.location("z") == "f.yaml"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1_000", 1000), ("1e6", 1e6), (".5", 0.5), ("-.inf", float("-inf")), ("010", 10),
        ("1:30", "1:30"), ("yes", "yes"), ("on", "on"), ("TRUE", True), ("null", None), ("", None),
        ("2026-01-31", "2026-01-31"), ("0x10", "0x10"), ("'3'", "3"),
    ],
)  # fmt: skip
def test_a_scalar_is_what_it_looks_like(text: str, value: Any) -> None:
    received = parse_yaml(text, "f.yaml").value
    assert received == value and type(received) is type(value)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("policy: &a\n  beta: 3\n", 2, "anchors and aliases are not allowed"),
        ("policy: *a\n", 2, "anchors and aliases are not allowed"),
        ("policy:\n  beta: !!float 3\n", 3, "tags are not allowed"),
        ("policy: !!python/object/apply:os.system [ls]\n", 2, "tags are not allowed"),
        ("? [a]\n: 1\n", 2, "a key must be a word"),
        ("policy:\n\tbeta: 3\n", 3, "cannot start any token"),
        ("policy:\n  beta: 3\n betta: 3\n", 4, "expected"),
        ("policy:\n  beta: " + "9" * 200 + "\n", 3, "too many digits"),
        ("policy: " + "[" * 5000 + "\n", 2, "nested too deeply"),
        ("---\npolicy: {}\n", 2, "but found another document"),
        ("policy:\n  beta: \x07\n", 3, "special characters are not allowed"),
    ],
)
def test_a_fault_is_one_line_with_file_and_line(
    tmp_path: Path, text: str, line: int, message: str
) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("preset: quickstart\n" + text)
    received = fault(path)
    assert received.startswith(f"{path}:{line}: ") and message in received
    assert "\n" not in received and len(received) < 400


def test_the_two_halves_of_a_sign_in_json_are_that_sign() -> None:
    text = json.dumps({"😀": ["😀é"]})
    assert text.isascii() and parse_yaml(text, "x").value == {"😀": ["😀é"]}


def test_unreadable_files(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in fault(tmp_path / "none.yaml")
    assert "cannot be read: Is a directory" in fault(tmp_path)
    bad = tmp_path / "bad.yaml"
    bad.write_bytes(b"preset: paper\n# \xff\n")
    assert fault(bad) == f"{bad}:2: not UTF-8 text"
    bad.write_bytes(b"#" * 1_000_001)
    assert "larger than" in fault(bad)
