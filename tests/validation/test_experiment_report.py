"""Bounds over seeds, and the targets that they must meet."""

from __future__ import annotations

import pytest

from qipo_ray.validation.experiment_report import Target, target, target_table, upper_bound


def test_bounds_are_students() -> None:
    """Five values: mean + 2.132 s / sqrt(5)."""
    values = [1.0, 2.0, 3.0, 4.0, 5.0]
    assert upper_bound(values) == pytest.approx(3 + 2.132 * 2.5**0.5 / 5**0.5)
    assert upper_bound([7.0]) == 7.0
    bounded = target("x", values, 4.6)
    assert bounded == Target("x", upper_bound(values), 4.6, 5) and bounded.met
    assert target_table([bounded, target("y", values, 4.0)]).rows[1][-1] == "NO"
