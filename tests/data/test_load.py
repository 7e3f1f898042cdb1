from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from qipo_ray.data.load import load
from qipo_ray.data.tasks import get_task
from qipo_ray.data.transitions import behaviour_score, transitions
from qipo_ray.errors import UserError


@pytest.fixture
def real() -> Path:
    folder = os.environ.get("QIPO_TEST_DATA")
    if not folder:
        pytest.skip("QIPO_TEST_DATA names no folder: NOT TESTED AGAINST REAL FILES")
    return Path(folder)


def test_from_the_d4rl_cache(columns, write, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("D4RL_DATASET_DIR", str(tmp_path))
    write(columns("maze2d-umaze-v1"), name="maze2d-umaze-sparse-v1.hdf5")
    data = load("maze2d-umaze-v1")
    assert (data.task_id, data.source, data.rows) == ("maze2d-umaze-v1", "d4rl, unverified", 40)


def test_generated_data_without_a_mark(columns, write, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("QIPO_DATA", str(tmp_path))
    write(columns("point"), name="point-generated-v1.hdf5")
    assert load("point").source == "generated"


def test_a_file_of_another_task_is_refused(columns, write) -> None:
    path = write(columns("halfcheetah-medium-v2"))
    with pytest.raises(UserError, match=r"hopper-medium-v2 observations have shape \(40, 17\)"):
        load("hopper-medium-v2", path)


def test_real_human_demonstrations(real: Path) -> None:
    task = get_task("door-human-v1")
    data = load(task.id, real / "door-human-dapg.hdf5")
    assert (data.rows, len(data.episodes), data.source) == (6729, 25, "other")
    score = behaviour_score(data, task)
    assert score is not None and score["episodes"] == 25
    assert score["mean"] == pytest.approx(794.1, abs=0.05)
    assert score["normalised"] == pytest.approx(29.0, abs=0.05)
    built = transitions(data, task, "paper", 0.99)
    assert built.observations.shape == (6729 - 25, 39) and built.actions.shape[1] == 28


def test_generated_hopper_file_says_so(real: Path) -> None:
    task = get_task("hopper-medium-replay-v2")
    data = load(task.id, real / "hopper-medium-replay-gen-v1.hdf5")
    assert data.source == "generated" and data.rows == 60_000 and data.notes == ()
    built = transitions(data, task, "paper", 0.99)
    returns = data.episode_returns()
    np.testing.assert_allclose(
        built.rewards.max() / np.delete(data.rewards, np.flatnonzero(data.timeouts)).max(),
        1000 / (returns.max() - returns.min()),
        rtol=1e-3,
    )


@pytest.mark.parametrize(
    ("task_id", "name", "normalised"),
    [
        ("hopper-medium-v2", "hopper-medium-gen-v0.hdf5", 69.8),
        ("hopper-medium-replay-v2", "hopper-medium-replay-gen-v0.hdf5", 19.3),
        ("halfcheetah-medium-replay-v2", "halfcheetah-medium-replay-gen-v0.hdf5", 26.1),
    ],
)
def test_scores_of_real_simulator_data(
    real: Path, task_id: str, name: str, normalised: float
) -> None:
    score = behaviour_score(load(task_id, real / name), get_task(task_id))
    assert score is not None and score["normalised"] == pytest.approx(normalised, abs=0.05)


def test_maze2d_file_is_one_trajectory(real: Path) -> None:
    data = load("maze2d-umaze", real / "maze2d-umaze-gen-v0.hdf5")
    score = behaviour_score(data, get_task("maze2d-umaze"))
    assert score is not None and score["episodes"] == 1000
    assert score["mean"] == pytest.approx(0.0722 * 300, abs=0.1)


def test_an_episode_longer_than_the_horizon_is_said(columns, write) -> None:
    """A replay buffer that kept `done` alone: its timeouts are there and never set."""
    content = columns("hopper-medium-replay-v2", rows=2700)
    content["terminals"][[1299, 2699]] = True
    dataset = load("hopper-medium-replay-v2", write(content))
    assert dataset.notes == ("the longest episode has 1,400 rows; the task's horizon is 1,000",)
    content["timeouts"][[999, 2299]] = True
    assert load("hopper-medium-replay-v2", write(content)).notes == ()
    maze = columns("maze2d-umaze-v1", rows=700)
    maze["terminals"][699] = True
    assert load("maze2d-umaze-v1", write(maze, "maze.hdf5")).notes == ()
