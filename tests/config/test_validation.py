"""The first fault of a document in one line: which field, what was expected, what was received."""

from __future__ import annotations

import copy
import math
import random
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from typing_extensions import NotRequired, TypedDict

from qipo_ray.config.json_types import (
    Count,
    Flag,
    Name,
    NonNegative,
    Number,
    Plain,
    PlainMapping,
    Sha256,
    Utc,
)
from qipo_ray.config.validation import Validator, first_fault, schema_of


class Item(TypedDict):
    x: Count | None


class New(TypedDict):
    y: Count


class Document(TypedDict):
    kind: Literal["a", "b"]
    flag: Flag
    count: Count
    size: NonNegative
    any: Number | None
    name: Name
    list: list[Item]
    either: Name | list[Count]
    free: Plain
    map: PlainMapping
    at: Utc
    new: NotRequired[New | None]


class RecordFault(ValueError):
    """The error that the validator is to raise."""


VALIDATOR = Validator(Document, RecordFault)
GOOD: dict[str, Any] = {
    "kind": "a",
    "flag": False,
    "count": 0,
    "size": 0.5,
    "any": None,
    "name": "n",
    "list": [{"x": 1}, {"x": None}],
    "either": [1, 2],
    "free": [1, {"a": None, "b": [True, 0.5, "s"]}],
    "map": {"a": {"b": []}},
    "at": "2026-01-31T12:00:00Z",
}
ODD: list[Any] = [
    None, True, 0, -1, 0.5, math.nan, 10**400, "", "a", "x" * 300, b"a", [], [None], [math.nan],
    {}, {"x": 1}, {1: 2}, {"a": {1: 2}}, object(), (1,), {1}, [[math.inf]],
]  # fmt: skip


def line(document: Any) -> str | None:
    try:
        VALIDATOR.check(document, "it")
    except RecordFault as error:
        return str(error)
    return None


def test_a_good_document_passes_with_and_without_what_came_later() -> None:
    assert line(GOOD) is None
    assert line(GOOD | {"new": None}) is None and line(GOOD | {"new": {"y": 1}}) is None
    assert line(GOOD | {"either": "text"}) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "c"}, "it.kind: expected one of 'a', 'b'; got 'c'"),
        ({"flag": 0}, "it.flag: expected one of True, False; got 0"),
        ({"count": -1}, "it.count: expected a whole number of at least 0; got -1"),
        ({"size": -0.4}, "it.size: expected a finite number of at least 0; got -0.4"),
        ({"any": math.nan}, "it.any: expected a finite number; got nan"),
        ({"list": [{"x": 1}, {"y": 1}]}, "it.list.1: unknown field 'y'"),
        ({"list": {}}, "it.list: must be a valid list; got {}"),
        ({"list": [1]}, "it.list.0: must be a valid dictionary; got 1"),
        ({"either": [1, "x"]}, "it.either.1: expected a whole number of at least 0; got 'x'"),
        ({"either": 3}, "it.either: expected one line of text, up to 200 signs; got 3"),
        ({"free": [{"a": math.inf}]}, "it.free.0.a: expected a finite number; got inf"),
        ({"free": [{1: 2}]}, "it.free.0: expected text keys; got 1"),
        ({"map": []}, "it.map: expected a mapping; got []"),
        ({"map": {"a": b"x"}}, "it.map.a: expected plain JSON; got b'x'"),
        ({"zzz": 1}, "it: unknown field 'zzz'"),
        ({3: 1}, "it: unknown field '3'"),
        ({"new": {"y": 1.5}}, "it.new.y: expected a whole number of at least 0; got 1.5"),
        ({"new": {}}, "it.new.y: missing"),
        ({"nev": None}, "it: unknown field 'nev' (did you mean 'new'?)"),
        ({"kind": "c", "nev": None}, "it: unknown field 'nev' (did you mean 'new'?)"),
    ],
)
def test_the_first_fault_is_named_in_full(change: dict[Any, Any], message: str) -> None:
    assert line(GOOD | change) == message


def test_a_missing_field_is_named() -> None:
    assert line({key: value for key, value in GOOD.items() if key != "at"}) == "it.at: missing"


@pytest.mark.parametrize("document", [None, 3, [], "x", (1,)])
def test_what_is_no_mapping_is_said(document: Any) -> None:
    assert line(document) == f"it: must be a valid dictionary; got {document!r}"


@pytest.mark.slow
def test_shuffled_documents_are_refused_at_a_field_that_was_changed() -> None:
    dice = random.Random(0)
    refused = 0
    for _ in range(2000):
        document = copy.deepcopy(GOOD)
        changed = {dice.choice([*GOOD, "list", "free", "extra", "new"]) for _ in range(3)}
        for key in changed:
            change = dice.randrange(3)
            if change == 0:
                document.pop(key, None)
            elif change == 1 and isinstance(document.get(key), list):
                document[key].append(dice.choice(ODD))
            else:
                document[key] = copy.deepcopy(dice.choice([*ODD, *GOOD.values()]))
        problem = line(document)
        if problem is not None:
            refused += 1
            named = problem.removeprefix("it: unknown field '").removeprefix("it.")
            assert any(named.startswith(key) for key in changed), problem
            assert "\n" not in problem
    assert 500 < refused < 2000


@dataclass(frozen=True)
class Point:
    x: Count
    y: Number | None = None


def test_a_dataclass_is_a_schema_whose_defaults_may_be_missing() -> None:
    validator = Validator(schema_of(Point))
    validator.check({"x": 1}, "point")
    validator.check({"x": 1, "y": 0.5}, "point")
    for document, message in (
        ({"x": True}, "point.x: expected a whole number of at least 0; got True"),
        ({"y": 1}, "point.x: missing"),
        ({"x": 1, "yy": 2}, r"point: unknown field 'yy' \(did you mean 'y'\?\)"),
    ):
        with pytest.raises(ValueError, match=f"^{message}$"):
            validator.check(document, "point")


def test_a_type_alone_is_a_schema_too() -> None:
    validator = Validator(Sha256)
    validator.check("a" * 64, "sha256")
    with pytest.raises(ValueError, match=r"^data\.point: expected 64 hex digits; got None$"):
        validator.check(None, "data.point")


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    count: int = Field(ge=1)


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    inner: Inner
    changes: dict[str, Any] = Field({}, alias="set")


@pytest.mark.parametrize(
    ("document", "path", "problem", "allowed"),
    [
        ({"inner": {"count": 0}}, ("inner", "count"), "must be greater than or equal to 1", ()),
        ({"inner": {"count": True}}, ("inner", "count"), "must be a valid integer", ()),
        ({"inner": {"count": 1, "x": 1}}, ("inner", "x"), "", ("count",)),
        ({"changes": {}}, ("changes",), "", ("inner", "set")),
    ],
)
def test_a_models_fault_has_its_path_and_the_keys_beside_it(
    document: dict[str, Any], path: tuple[str, ...], problem: str, allowed: tuple[str, ...]
) -> None:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(document)
    fault = first_fault(Outer, document, caught.value)
    assert (fault.path, fault.problem, fault.allowed) == (path, problem, allowed)
