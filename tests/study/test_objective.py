"""What searches go by, in numbers and in words."""

from __future__ import annotations

import math

import pytest

from qipo_ray.study.objective import measured, merit, merit_text, signals_text

SIGNALS = {
    "updates": 300,
    "fqe": {"mean": 12.5, "std": 1.0, "episodes": 9},
    "td_error": None,
    "behaviour_loss": 0.25,
}


def test_each_objective_finds_its_number() -> None:
    assert measured("score", {"normalised": 7}) == 7.0
    assert measured("fqe", SIGNALS) == 12.5 and measured("fqe", {"fqe": None}) is None
    assert measured("td_error", SIGNALS) is None and measured("behaviour_loss", SIGNALS) == 0.25
    assert signals_text(SIGNALS) == "FQE 12.5, behaviour loss 0.25"


@pytest.mark.parametrize(("objective", "turned"), [("score", 1), ("fqe", 1), ("td_error", -1)])
def test_more_is_better_of_what_is_compared(objective: str, turned: int) -> None:
    assert merit(objective, [1.0, 3.0]) == turned * 2.0
    assert merit(objective, [1.0, None]) is None and merit(objective, [math.nan]) is None


def test_people_read_it_as_it_was_measured() -> None:
    assert merit_text("score", 12.34) == "score 12.3"
    assert merit_text("td_error", -0.04212) == "TD error 0.04212"
