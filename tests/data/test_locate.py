from __future__ import annotations

from pathlib import Path

import pytest

from qipo_ray.data.locate import d4rl_cache, find_dataset, generated_path
from qipo_ray.data.tasks import get_task
from qipo_ray.errors import UserError


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("D4RL_DATASET_DIR", str(tmp_path / "d4rl"))
    monkeypatch.setenv("QIPO_DATA", str(tmp_path / "made"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_d4rl_cache_by_variable_and_by_default(monkeypatch, tmp_path: Path) -> None:
    task = get_task("hopper-medium-v2")
    wanted = touch(tmp_path / "d4rl" / "hopper_medium-v2.hdf5")
    assert find_dataset(task) == (wanted, "d4rl")
    default = tmp_path / "home" / ".d4rl" / "datasets"
    monkeypatch.setenv("D4RL_DATASET_DIR", "")
    assert d4rl_cache() == default  # an empty variable counts as unset
    monkeypatch.delenv("D4RL_DATASET_DIR")
    assert d4rl_cache() == default


def test_generated_data_has_its_own_folder(monkeypatch, tmp_path: Path) -> None:
    twin = get_task("maze2d-umaze")
    wanted = touch(tmp_path / "made" / "maze2d-umaze-generated-v1.hdf5")
    assert find_dataset(twin) == (wanted, "generated") and generated_path(twin) == wanted
    monkeypatch.delenv("QIPO_DATA")
    assert generated_path(twin).parent == tmp_path / "home" / ".cache" / "qipo_ray"


def test_explicit_path_wins_and_says_nothing_about_the_source(tmp_path: Path) -> None:
    task = get_task("hopper-medium-v2")
    touch(tmp_path / "d4rl" / "hopper_medium-v2.hdf5")
    mine = touch(tmp_path / "mine.hdf5")
    assert find_dataset(task, str(mine)) == (mine, "other")


def test_generated_data_never_stands_in_for_real_data(tmp_path: Path) -> None:
    touch(tmp_path / "made" / "maze2d-umaze-generated-v1.hdf5")
    touch(tmp_path / "made" / "maze2d-umaze-v1-generated-v1.hdf5")
    with pytest.raises(UserError):
        find_dataset(get_task("maze2d-umaze-v1"))


def test_missing_real_data_says_what_where_and_how(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        find_dataset(get_task("hopper-medium-replay-v2"))
    line = str(caught.value)
    for part in (
        "hopper-medium-replay-v2",
        str(tmp_path / "d4rl" / "hopper_medium_replay-v2.hdf5"),
        "gym_mujoco_v2/hopper_medium_replay-v2.hdf5 (75.9 MB)",
        "`qipo-ray data make hopper-medium-replay`",
    ):
        assert part in line
    assert "\n" not in line


def test_missing_real_data_without_a_generator_says_so() -> None:
    with pytest.raises(UserError, match="no generator for ant-medium;"):
        find_dataset(get_task("ant-medium-v2"))


def test_missing_real_data_names_the_generated_twins_command(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="`qipo-ray data make maze2d-umaze`, then use task"):
        find_dataset(get_task("maze2d-umaze-v1"))


@pytest.mark.parametrize("task_id", ["point", "maze2d-umaze"])
def test_missing_generated_data_names_the_command(task_id: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"`qipo-ray data make {task_id}`") as caught:
        find_dataset(get_task(task_id))
    assert str(tmp_path / "made") in str(caught.value)


def test_missing_and_odd_explicit_paths(tmp_path: Path) -> None:
    task = get_task("point")
    with pytest.raises(UserError, match="does not exist"):
        find_dataset(task, tmp_path / "nothing.hdf5")
    with pytest.raises(UserError, match="is a folder; wanted for task point"):
        find_dataset(task, tmp_path)
