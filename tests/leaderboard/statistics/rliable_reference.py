"""Run by test_rliable.py in rliable's own environment: scores in by stdin, its answers out."""

from __future__ import annotations

import json
import sys

import numpy as np
from rliable import library, metrics

GAMMA = 100.0


def main() -> None:
    """Print rliable's numbers and intervals for the matrices (runs, tasks) on stdin."""
    given = json.load(sys.stdin)
    a, b, thresholds = (np.array(given[key]) for key in ("a", "b", "thresholds"))
    np.random.seed(0)
    aggregates = {
        "mean_of": metrics.aggregate_mean,
        "median_of": metrics.aggregate_median,
        "iqm": metrics.aggregate_iqm,
        "optimality_gap": lambda scores: metrics.aggregate_optimality_gap(scores, GAMMA),
    }
    answers: dict[str, object] = {}
    together = lambda scores: np.array([f(scores) for f in aggregates.values()])  # noqa: E731
    values, bounds = library.get_interval_estimates({"a": a}, together, reps=given["reps"])
    for place, name in enumerate(aggregates):
        answers[name] = [values["a"][place], *bounds["a"][:, place]]
    shares, bands = library.create_performance_profile({"a": a}, thresholds, reps=given["reps"])
    answers["profile"] = [shares["a"].tolist(), *bands["a"].tolist()]
    improvement, bounds = library.get_interval_estimates(
        {"pair": [a, b]},
        lambda x, y: np.array([metrics.probability_of_improvement(x, y)]),
        reps=given["slow_reps"],
    )
    answers["improvement"] = [improvement["pair"][0], *bounds["pair"][:, 0]]
    json.dump(answers, sys.stdout)


main()
