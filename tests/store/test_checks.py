"""The compiled check and the one that names the fault agree on whatever they are given."""

from __future__ import annotations

import copy
import math
import random
from typing import Any

import pytest

from qipo_ray.store.checks import (
    COUNT,
    MAPPING,
    NAME,
    PLAIN,
    UTC,
    Either,
    Fields,
    Many,
    Maybe,
    Misfit,
    RecordError,
    judged,
    number,
    one_of,
    text,
)

FORM = Fields(
    {
        "kind": one_of("a", "b"),
        "flag": one_of(True, False),
        "count": COUNT,
        "size": number(0.5),
        "any": Maybe(number()),
        "name": NAME,
        "list": Many(Fields({"x": Maybe(COUNT)})),
        "either": Either(NAME, Many(COUNT)),
        "free": PLAIN,
        "map": MAPPING,
        "at": UTC,
    },
    later={"new": Maybe(Fields({"y": COUNT}))},
)
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
    None, True, False, 0, 1, -1, 0.5, -0.0, math.nan, math.inf, 10**400, "", "a", "x" * 300, "\n",
    b"a", [], [None], [math.nan], {}, {"x": 1}, {1: 2}, {"a": {1: 2}}, object(), (1,), {1},
    "2026-01-31T12:00:00Z", "2026-01-31T12:00:00+01:00", "2026-01-31", [[math.inf]],
]  # fmt: skip


def judge(value: Any) -> str | None:
    """What the naming check says; None for a good value."""
    try:
        FORM.judge(value)
    except Misfit as found:
        return ".".join(reversed(found.place))
    return None


def test_good_values_pass_both() -> None:
    assert FORM.fits(GOOD) and judge(GOOD) is None
    judged(FORM)(GOOD, "it")


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd)[:20])
def test_both_agree_wherever_an_odd_value_stands(odd: Any) -> None:
    assert FORM.fits(odd) == (judge(odd) is None)
    for key in [*GOOD, "new"]:
        value = GOOD | {key: odd}
        assert FORM.fits(value) == (judge(value) is None), key
        place = judge(value)
        assert place is None or place.split(".")[0] == key


def test_both_agree_on_shuffled_documents() -> None:
    dice = random.Random(0)
    refused = 0
    for _ in range(3000):
        value = copy.deepcopy(GOOD)
        for _ in range(dice.randrange(1, 4)):
            key = dice.choice([*GOOD, "list", "free", "extra", "new"])
            change = dice.randrange(4)
            if change == 0:
                value.pop(key, None)
            elif change == 1 and isinstance(value.get(key), list):
                value[key].append(dice.choice(ODD))
            elif change == 2 and isinstance(value.get(key), dict):
                value[key]["more"] = dice.choice(ODD)
            else:
                value[key] = copy.deepcopy(dice.choice([*ODD, *GOOD.values()]))
        fits = FORM.fits(value)
        refused += not fits
        assert fits == (judge(value) is None), value
    assert 500 < refused < 3000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "c"}, "it.kind: expected one of 'a', 'b'; got 'c'"),
        ({"flag": 0}, "it.flag: expected one of True, False; got 0"),
        ({"count": -1}, "it.count: expected a whole number of at least 0; got -1"),
        ({"size": 0.4}, "it.size: expected a finite number of at least 0.5; got 0.4"),
        ({"any": math.nan}, "it.any: expected a finite number; got nan"),
        ({"list": [{"x": 1}, {"y": 1}]}, "it.list.1: unknown field 'y'"),
        ({"list": {}}, "it.list: expected a list; got {}"),
        ({"either": [1, "x"]}, "it.either.1: expected a whole number of at least 0; got 'x'"),
        ({"free": [{"a": math.inf}]}, "it.free.0.a: expected a finite number; got inf"),
        ({"map": []}, "it.map: expected a mapping; got []"),
        ({"zzz": 1}, "it: unknown field 'zzz'"),
        ({"new": {"y": 1.5}}, "it.new.y: expected a whole number of at least 0; got 1.5"),
        ({"nev": None}, "it: unknown field 'nev' (did you mean 'new'?)"),
    ],
)
def test_the_first_fault_is_named_in_full(change: dict[str, Any], message: str) -> None:
    with pytest.raises(RecordError) as caught:
        judged(FORM)(GOOD | change, "it")
    assert str(caught.value) == message


def test_a_missing_field_is_named() -> None:
    with pytest.raises(RecordError, match=r"^it.at: missing$"):
        judged(FORM)({key: value for key, value in GOOD.items() if key != "at"}, "it")


def test_text_patterns_may_hold_anything() -> None:
    odd = text(r"[{}'\"\\\\%]{1,3}", "braces {x} and {f}")
    assert odd.fits("{}") and odd.fits("'\"\\") and not odd.fits("x")
    with pytest.raises(RecordError, match="expected braces"):
        judged(odd)("x", "it")
