from __future__ import annotations

from typing import Any

from qipo_ray.leaderboard.figures.pareto import ParetoPoint, pareto_front, pareto_points
from qipo_ray.leaderboard.figures.series import series_of


def test_the_front_is_what_nobody_beats(sweep_records: list[dict[str, Any]]) -> None:
    points = pareto_points(series_of(sweep_records))
    assert [point.name for point in pareto_front(points)] == ["QIPO-OT, search, best"]
    assert {point.device_s for point in points} == {60.0}


def test_a_point_dominates_what_is_nowhere_better_and_somewhere_worse() -> None:
    def point(score: float, latency_ms: float, device_s: float) -> ParetoPoint:
        return ParetoPoint("t", "generated", "x", score, latency_ms, device_s)

    best = point(50.0, 1.0, 60.0)
    assert best.dominates(point(50.0, 1.0, 61.0)) and best.dominates(point(40.0, 2.0, 70.0))
    assert not best.dominates(best)
    assert not best.dominates(point(10.0, 0.5, 60.0))  # faster
    points = [best, point(60.0, 2.0, 60.0), point(10.0, 3.0, 60.0)]
    assert pareto_front(points) == points[:2]
