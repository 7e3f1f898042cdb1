from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import pytest

from qipo_ray.config.values import Range, conform, show

Whole = Annotated[int, Range(1, 10)]
Share = Annotated[float, Range(0, 1, open_low=True)]
Path = Literal["ot", "vp"]


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (Whole, 3, 3), (Whole, 1e1, 10), (Share, 1, 1.0), (Share, 0.5, 0.5), (float, -0.0, 0.0),
        (bool, True, True), (Path, "vp", "vp"),
    ],
)  # fmt: skip
def test_a_value_becomes_its_declared_type(hint: Any, value: Any, expected: Any) -> None:
    received = conform(hint, value)
    assert received == expected and type(received) is type(expected)
    assert not isinstance(received, float) or math.copysign(1, received) == 1


@pytest.mark.parametrize(
    ("hint", "value", "message"),
    [
        (Whole, 0, "must be a whole number at least 1 and at most 10; got 0"),
        (Whole, 2.5, "must be a whole number at least 1 and at most 10; got 2.5"),
        (Whole, True, "must be a whole number at least 1 and at most 10; got True"),
        (Share, 0, "must be a finite number above 0 and at most 1; got 0"),
        (Share, math.nan, "must be a finite number above 0 and at most 1; got nan"),
        (float, 10**400, "must be a finite number; got a huge number"),
        (float, "3", "must be a finite number; got '3'"),
        (bool, 1, "must be true or false; got 1"),
        (Path, "pv", "must be one of ot, vp; got 'pv' (did you mean 'vp'?)"),
        (Path, None, "must be one of ot, vp; got nothing"),
    ],
)
def test_any_other_value_is_named(hint: Any, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match="must be") as caught:
        conform(hint, value)
    assert str(caught.value) == message


def test_a_received_value_is_shown_in_one_short_line() -> None:
    assert [show(value) for value in (None, {}, [], (), "a\nb", 3)] == [
        "nothing", "a mapping", "a list", "a list", "'a\\nb'", "3",
    ]  # fmt: skip
    assert len(show("x" * 1000)) == 60
