"""Scores and the protocol's seeds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from qipo_ray.data.tasks import get_task
from qipo_ray.evaluation.rollout import Rollouts
from qipo_ray.evaluation.score import (
    EvalProtocol,
    each_score,
    env_seeds,
    env_seeds_text,
    normalised,
    score,
)

HOPPER = get_task("hopper-medium-v2")


def test_normalised_is_that_of_d4rl() -> None:
    assert normalised(HOPPER, -20.272305) == pytest.approx(0)
    assert normalised(HOPPER, 3234.3) == pytest.approx(100)
    assert normalised(HOPPER, 1500.0) == pytest.approx(46.71, abs=0.01)  # d4rl 1.1 gives 0.4671


def test_score_of_known_episodes() -> None:
    rollouts = Rollouts(np.array([10.0, 20.0, 60.0]), np.array([5, 5, 5]), None)
    got = score(HOPPER, rollouts, updates=700)
    assert got == {
        "updates": 700,
        "episodes": 3,
        "mean": 30.0,
        "std": pytest.approx(np.sqrt(1400 / 3)),
        "normalised": pytest.approx(100 * 50.272305 / 3254.572305),
        "success": None,
    }
    assert {type(value) for value in got.values()} == {int, float, type(None)}  # plain JSON


def test_the_scores_of_episodes_have_the_score_as_their_mean() -> None:
    success = np.array([True, False, False, True])
    rollouts = Rollouts(np.array([1.0, 2.0, 3.0, 10.0]), np.ones(4, int), success)
    cube = get_task("cube-single-play-singletask-v0")
    for task in (HOPPER, cube):
        each = each_score(task, rollouts)
        assert np.mean(each) == pytest.approx(score(task, rollouts, 0)["normalised"])
    assert each == [100.0, 0.0, 0.0, 100.0]


def test_success_is_a_share() -> None:
    success = np.array([True, False, False, True])
    got = score(get_task("maze2d-umaze"), Rollouts(np.ones(4), np.ones(4, int), success), 0)
    assert got["success"] == 0.5 and got["normalised"] == pytest.approx(
        normalised(get_task("maze2d-umaze"), 1.0)
    )
    task = get_task("cube-single-play-singletask-v0")
    got = score(task, Rollouts(np.full(4, -150.0), np.ones(4, int), success), 0)
    assert (got["normalised"], got["mean"]) == (50.0, -150.0)


def test_environment_seeds() -> None:
    assert env_seeds(3) == [1001, 1002, 1003]
    assert env_seeds_text(100) == "1001..1100"
    assert env_seeds(100)[:20] == env_seeds(20)


def test_protocol_is_a_plain_dictionary() -> None:
    protocol = EvalProtocol(100, env_seeds_text(100), "midpoint", 10, 1, True, 0)
    assert replace(protocol, physics=2).document()["physics"] == 2
    assert protocol.document() == {
        "episodes": 100,
        "env_seeds": "1001..1100",
        "sampler": "midpoint",
        "steps": 10,
        "best_of": 1,
        "clip": True,
        "selection_episodes": 0,
    }
