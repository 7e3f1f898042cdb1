"""OGBench's files read in place: found in its folder, held to the task, refused in one line."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qipo_ray.data.load import load
from qipo_ray.data.locate import generated_path
from qipo_ray.data.tasks import get_task
from qipo_ray.data.transitions import behaviour_score, transitions
from qipo_ray.errors import UserError

TASK = "pointmaze-medium-navigate-singletask-task1-v0"  # its goal is at (20, 20), within 1
STATES = 6  # of each trajectory


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("QIPO_DATA", str(tmp_path / "made"))


def columns() -> dict[str, Any]:
    """Two trajectories; the first passes the goal in its third state and goes on."""
    states = np.arange(4 * STATES, dtype=np.float32).reshape(-1, 2) / 10
    states[2] = (20.0, 20.9)
    ends = np.zeros(2 * STATES, np.float32)
    ends[STATES - 1 :: STATES] = 1
    actions = np.full((2 * STATES, 2), 0.5, np.float32)
    return {"observations": states, "actions": actions, "terminals": ends, "qpos": states}


def write(path: Path, **changes: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **{**columns(), **changes})
    return path


def test_the_file_in_the_packages_own_folder(tmp_path: Path) -> None:
    path = write(tmp_path / ".ogbench" / "data" / "pointmaze-medium-navigate-v0.npz")
    task = get_task(TASK)
    data = load(task)
    assert (data.path, data.source, data.task_id) == (path, "ogbench, unverified", TASK)
    assert data.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert data.rewards.tolist() == [-1, -1, 0] + [-1] * 7
    assert np.flatnonzero(data.terminals).tolist() == [2]
    assert np.flatnonzero(data.timeouts).tolist() == [4, 9]
    assert behaviour_score(data, task) is None and not any("longest" in n for n in data.notes)
    rows = transitions(data, task, "paper", 0.99)
    assert rows.rewards.tolist() == [-1, -1, 0, -1] + [-1] * 4
    other = load("pointmaze-medium-navigate-singletask-task2-v0")  # one file, other rewards
    assert other.sha256 == data.sha256 and other.rewards.tolist() == [-1] * 10


def test_a_file_that_is_missing_names_the_command() -> None:
    with pytest.raises(
        UserError, match="pointmaze-medium-navigate-v0.npz does not exist; OGBench"
    ):
        load(TASK)


def test_generated_data_say_so_wherever_they_lie(tmp_path: Path) -> None:
    mark = {"generated": np.array(True)}
    assert load(TASK, write(tmp_path / "mine.npz", **mark)).source == "generated"
    mine = write(tmp_path / "mine.npz")
    assert load(TASK, mine).source == "other"
    copy = mine.rename(tmp_path / "x.copy")  # as a worker of another machine has it
    assert load(TASK, copy).rows == 10
    task = get_task(TASK.removesuffix("-v0"))
    write(generated_path(task), **mark)
    assert load(task).source == "generated"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"actions": np.zeros((2 * STATES, 3))}, "actions have 3 numbers a row; wanted are 2"),
        ({"qpos": np.zeros((2 * STATES, 3))}, "qpos have shape"),
        ({"terminals": np.zeros(2 * STATES)}, "cut short"),
        ({"observations": np.full((2 * STATES, 2), np.nan)}, "NaN"),
    ],
)
def test_what_does_not_fit_is_one_line(
    change: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "bad.npz", **change)
    with pytest.raises(UserError, match=expected) as caught:
        load(TASK, path)
    line = str(caught.value)
    assert line.startswith(f"data file {path} for task {TASK}: ") and "\n" not in line


def test_a_damaged_file_is_one_line(tmp_path: Path) -> None:
    path = write(tmp_path / "bad.npz")
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(UserError, match="is damaged"):
        load(TASK, path)
