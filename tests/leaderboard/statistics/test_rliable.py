"""Our statistics against those of rliable, which runs beside us with its own dependencies."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qipo_ray.leaderboard.statistics import point_estimates
from qipo_ray.leaderboard.statistics.bootstrap import Estimate, estimate
from qipo_ray.leaderboard.statistics.paired_tests import probability_of_improvement
from qipo_ray.leaderboard.statistics.performance_profile import performance_profile

HERE = Path(__file__).parent
RLIABLE = Path(sys.prefix) / "rliable" / "bin" / "python"
RESAMPLES, REPS, SLOW_REPS = 20_000, 2000, 500

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not RLIABLE.exists(),
        reason=f"no rliable in {RLIABLE.parents[1]}: tests/leaderboard/statistics/rliable.txt",
    ),
]

Answers = dict[str, Any]


def matrices() -> dict[str, np.ndarray]:
    """Two methods with 7 and 5 runs of six tasks, tied in places, some above 100."""
    generator = np.random.default_rng(11)
    centres = np.array([20.0, 45.0, 70.0, 90.0, 104.0, 3.0])
    a = np.round(centres + generator.normal(0, 9, (7, 6)), 1)
    b = np.round(centres - 3 + generator.normal(0, 9, (5, 6)), 1)
    b[0] = a[0]
    return {"a": a, "b": b, "thresholds": np.linspace(0, 110, 12)}


def by_task(scores: np.ndarray) -> dict[str, np.ndarray]:
    return {f"task-{place}": column for place, column in enumerate(scores.T)}


@pytest.fixture(scope="module")
def answers() -> Answers:
    given = {name: array.tolist() for name, array in matrices().items()}
    done = subprocess.run(
        [RLIABLE, HERE / "rliable_reference.py"],
        input=json.dumps(given | {"reps": REPS, "slow_reps": SLOW_REPS}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: Answers = json.loads(done.stdout)
    return found


def assert_close(found: Estimate, value: float, low: float, high: float, reps: int) -> None:
    """The value to 1e-9; a bound to four standard errors of both quantiles, taken as normal."""
    assert found.value == pytest.approx(value, abs=1e-9)
    assert found.interval is not None
    per_std = math.sqrt(0.025 * 0.975) / 0.0584  # error of a 2.5 % quantile from one draw
    allowed = 4 * (high - low) / 3.92 * per_std * math.sqrt(1 / reps + 1 / RESAMPLES)
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high), abs=allowed)


@pytest.mark.parametrize("name", ["mean_of", "median_of", "iqm", "optimality_gap"])
def test_aggregates(answers: Answers, name: str) -> None:
    scores, generator = by_task(matrices()["a"]), np.random.default_rng(5)
    found = estimate(scores, getattr(point_estimates, name), generator, RESAMPLES)
    assert_close(found, *answers[name], reps=REPS)


def test_profile(answers: Answers) -> None:
    given, generator = matrices(), np.random.default_rng(6)
    found = performance_profile(by_task(given["a"]), given["thresholds"], generator, RESAMPLES)
    values, low, high = answers["profile"]
    assert found.values == pytest.approx(values, abs=1e-9)
    one_run = 1 / given["a"].size  # a bound is a whole number of runs: it may fall one beside
    assert found.low == pytest.approx(low, abs=one_run + 1e-9)
    assert found.high == pytest.approx(high, abs=one_run + 1e-9)


def test_probability_of_improvement(answers: Answers) -> None:
    given, generator = matrices(), np.random.default_rng(7)
    a, b = by_task(given["a"]), by_task(given["b"])
    found = probability_of_improvement(a, b, generator, RESAMPLES)
    assert_close(found, *answers["improvement"], reps=SLOW_REPS)
