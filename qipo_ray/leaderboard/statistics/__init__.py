"""Statistics of scores over tasks and seeds: NumPy, an explicit generator, nothing hidden."""

from __future__ import annotations

from qipo_ray.leaderboard.statistics.bootstrap import (
    Estimate,
    Interval,
    estimate,
    estimates,
    estimates_of_all,
    stratified_bootstrap,
)
from qipo_ray.leaderboard.statistics.paired_tests import (
    PairedTest,
    Runs,
    paired_test,
    probability_of_improvement,
    ranks,
)
from qipo_ray.leaderboard.statistics.performance_profile import Profile, performance_profile
from qipo_ray.leaderboard.statistics.point_estimates import (
    Scores,
    Statistic,
    iqm,
    mean_of,
    median_of,
    optimality_gap,
)
from qipo_ray.leaderboard.statistics.selection import (
    SelectionCurve,
    expected_online_performance,
)
from qipo_ray.leaderboard.statistics.spread import Spread, mean, spread

__all__ = [
    "Estimate",
    "Interval",
    "PairedTest",
    "Profile",
    "Runs",
    "Scores",
    "SelectionCurve",
    "Spread",
    "Statistic",
    "estimate",
    "estimates",
    "estimates_of_all",
    "expected_online_performance",
    "iqm",
    "mean",
    "mean_of",
    "median_of",
    "optimality_gap",
    "paired_test",
    "performance_profile",
    "probability_of_improvement",
    "ranks",
    "spread",
    "stratified_bootstrap",
]
