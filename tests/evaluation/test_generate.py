"""Generated files: layout, determinism, truth against the simulator, durability, speed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from qipo_ray.data.load import load
from qipo_ray.data.tasks import GENERATORS
from qipo_ray.errors import UserError
from qipo_ray.evaluation.generate import generate
from qipo_ray.evaluation.maze2d import PointMass
from qipo_ray.evaluation.mazes import MAZES

ROWS = 5000


@pytest.fixture(scope="module")
def umaze(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("generated")
    return generate("maze2d-umaze", folder / "umaze.hdf5", ROWS, seed=4)


def contents(path: Path) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: (
                arrays.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
            )
        )
    return arrays


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_layout_is_that_of_d4rl(umaze: Path) -> None:
    shapes = {name: (array.shape, array.dtype) for name, array in contents(umaze).items()}
    assert shapes == {
        "observations": ((ROWS, 4), np.float32),
        "actions": ((ROWS, 2), np.float32),
        "rewards": ((ROWS,), np.float32),
        "terminals": ((ROWS,), np.bool_),
        "timeouts": ((ROWS,), np.bool_),
        "infos/goal": ((ROWS, 2), np.float32),
        "infos/qpos": ((ROWS, 2), np.float32),
        "infos/qvel": ((ROWS, 2), np.float32),
    }
    with h5py.File(umaze) as file:
        assert dict(file.attrs) == {
            "source": "generated",
            "task": "maze2d-umaze",
            "seed": 4,
            "generator": "qipo_ray maze2d-umaze",
            "version": 2,
        }


@pytest.mark.parametrize("task_id", ["maze2d-umaze", "point"])
def test_equal_arguments_give_equal_bytes(task_id, tmp_path: Path) -> None:
    first = digest(generate(task_id, tmp_path / "a.hdf5", 1000, seed=4))
    assert digest(generate(task_id, tmp_path / "b.hdf5", 1000, seed=4)) == first
    assert digest(generate(task_id, tmp_path / "c.hdf5", 1000, seed=5)) != first


@pytest.mark.parametrize(
    ("task_id", "version"), [("point", 1), ("halfcheetah-random", 1), ("hopper-random", 2)]
)
def test_rows_of_other_physics_are_of_another_version(
    task_id: str, version: int, tmp_path: Path
) -> None:
    with h5py.File(generate(task_id, tmp_path / "a.hdf5", 10)) as file:
        assert file.attrs["version"] == version


def test_a_longer_file_begins_with_the_shorter(umaze: Path, tmp_path: Path) -> None:
    """Across the blocks in which rows are made, too."""
    longer = contents(generate("maze2d-umaze", tmp_path / "long.hdf5", 10_500, seed=4))
    for name, array in contents(umaze).items():
        np.testing.assert_array_equal(longer[name][:ROWS], array)
    steps = np.abs(np.diff(longer["observations"][:, :2], axis=0)).max()
    assert steps < 0.06  # one trajectory: 5 cells per second, 0.01 s


@pytest.mark.parametrize("name", [name for name in GENERATORS if name in MAZES])
def test_file_replays_in_the_simulator(name: str, tmp_path: Path) -> None:
    rows = contents(generate(name, tmp_path / "maze.hdf5", 2000, seed=1))
    mass = PointMass(MAZES[name])
    reached = []
    for qpos, qvel, action in zip(
        rows["infos/qpos"], rows["infos/qvel"], rows["actions"], strict=True
    ):
        mass.set_state((*qpos.tolist(), *qvel.tolist()))
        reached.append(mass.push(*action.tolist()))
    np.testing.assert_allclose(reached[:-1], rows["observations"][1:], atol=2e-4)


def test_labels(umaze: Path) -> None:
    rows = contents(umaze)
    positions, goals, timeouts = rows["observations"][:, :2], rows["infos/goal"], rows["timeouts"]
    near = (
        np.linalg.norm(positions - [1, 1], axis=1) <= 0.5
    )  # of the evaluation's goal, row by row
    np.testing.assert_array_equal(rows["rewards"], near)
    assert 0.03 < near.mean() < 0.3
    assert not rows["terminals"].any()
    moved = np.flatnonzero((goals[1:] != goals[:-1]).any(axis=1))
    np.testing.assert_array_equal(moved, np.flatnonzero(timeouts[:-1]))  # a new goal follows
    ends = np.flatnonzero(timeouts)
    assert len(ends) > 30 and np.diff(ends).max() <= 301
    reached = np.linalg.norm(positions[ends] - np.round(goals[ends]), axis=1) < 0.1
    assert reached.mean() > 0.95
    assert np.abs(rows["actions"]).max() == 1


def test_the_reader_takes_the_file_as_generated(umaze: Path, tmp_path: Path) -> None:
    dataset = load("maze2d-umaze", umaze)
    assert (dataset.source, dataset.rows) == ("generated", ROWS)
    point = load("point", generate("point", tmp_path / "point.hdf5", 1000))
    assert (point.source, point.rows) == ("generated", 1000)
    assert point.next_observations is not None and len(point.episode_returns()) == 40


@pytest.mark.slow
def test_progress_counts_up_to_the_rows(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    generate(
        "maze2d-umaze", tmp_path / "a.hdf5", 20_001, progress=lambda *call: calls.append(call)
    )
    assert calls == [(10_000, 20_001), (20_000, 20_001), (20_001, 20_001)]


def test_default_rows(tmp_path: Path) -> None:
    with h5py.File(generate("point", tmp_path / "p.hdf5")) as file:
        assert len(file["observations"]) == 20_000


@pytest.mark.parametrize(
    ("task_id", "rows", "text"),
    [
        ("maze2d-umaze-v1", 10, "no data generator .*maze2d-umaze, point,"),
        ("ant-medium", 10, "no data generator"),
        ("maze2d-umaze-dense", 10, "no data generator"),
        ("maze2d-umazee", 10, "umaze"),
        ("point", 0, "at least 1"),
    ],
)
def test_refusals_are_one_line(task_id, rows, text, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=text) as caught:
        generate(task_id, tmp_path / "a.hdf5", rows)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch) -> None:
    path = generate("point", tmp_path / "deep" / "a.hdf5", 100)
    before = path.read_bytes()

    def fail(*_paths) -> None:
        raise OSError("the disk is gone")

    for step in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, step, fail)
            with pytest.raises(OSError, match="disk is gone"):
                generate("point", path, 200, seed=1)
        assert path.read_bytes() == before
        assert list(path.parent.iterdir()) == [path]
    generate("point", path, 200, seed=1)
    assert path.read_bytes() != before
    assert list(path.parent.iterdir()) == [path]
