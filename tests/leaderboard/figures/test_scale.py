from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from qipo_ray.leaderboard.figures.scale import Scale
from qipo_ray.leaderboard.trial_results import TrialResult
from qipo_ray.study.trial import TrialState


def trials(values: Iterable[Any]) -> list[TrialResult]:
    params = ({"p": value} for value in values)
    return [TrialResult("t", "generated", p, 1.0, 2, TrialState.FINISHED, 20) for p in params]


@pytest.mark.parametrize(
    ("values", "log", "middle"),
    [
        ((1.0, 2.0, 4.0), False, 0.5),
        (tuple(10.0**i for i in range(-4, 5)), True, 0.5),
        (tuple(float(i) for i in range(9)), False, 0.5),
        ((True, False), False, None),
        (("ot", "vp", "x"), False, 0.5),
    ],
)
def test_scales(values: tuple[Any, ...], log: bool, middle: float | None) -> None:
    (scale,) = Scale.of_all(trials(values))
    assert scale.log == log
    assert (scale.position(scale.values[0]), scale.position(scale.values[-1])) == (0.0, 1.0)
    if middle is not None:
        assert scale.position(scale.values[len(values) // 2]) == pytest.approx(middle)
    positions, labels = scale.ticks()
    assert len(positions) == len(labels) == len(set(labels))


def test_one_value_has_no_scale() -> None:
    assert Scale.of_all(trials([3, 3])) == []
