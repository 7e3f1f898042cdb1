from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from qipo_ray.data.load import load
from qipo_ray.data.minari_folder import sets
from qipo_ray.data.tasks import get_task
from qipo_ray.data.transitions import qlearning_dataset
from qipo_ray.errors import UserError

TASK, NAME = "hopper-medium-v2", "mujoco/hopper/medium-v0"
LENGTHS = (3, 5, 1, 4, *[2] * 8)  # twelve: episode_10 must not come before episode_2


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    return tmp_path / "minari"


def episodes(lengths=LENGTHS) -> list[dict[str, np.ndarray]]:
    """Episodes as Minari writes them: float64, one observation more than actions."""
    rng = np.random.default_rng(0)
    state, action = get_task(TASK).sizes
    return [
        {
            "observations": rng.normal(size=(steps + 1, state)),
            "actions": rng.uniform(-1, 1, (steps, action)).astype(np.float32),
            "rewards": rng.normal(size=steps),
            "terminations": np.arange(steps) == (steps - 1 if i % 3 == 0 else -1),
            "truncations": np.arange(steps) == (steps - 1 if i % 3 == 1 else -1),
        }
        for i, steps in enumerate(lengths)
    ]


Change = Callable[[h5py.File], object]


@pytest.fixture
def write(folder: Path) -> Callable[..., Path]:
    def write(change: Change = lambda file: None, name: str = NAME, lengths=LENGTHS) -> Path:
        path = folder / name / "data" / "main_data.hdf5"
        path.parent.mkdir(parents=True)
        (path.parent / "metadata.json").write_text(json.dumps({"dataset_id": name}))
        with h5py.File(path, "w", track_order=True) as file:
            for i, columns in enumerate(episodes(lengths)):
                group = file.create_group(f"episode_{i}", track_order=True)
                group.attrs.update({"id": i, "seed": 5, "total_steps": lengths[i]})
                for key, values in columns.items():
                    group[key] = values
                group.create_group("infos")["qpos"] = np.zeros(3)
            change(file)
        return path

    return write


@pytest.mark.parametrize("how", ["id", "folder", "file"])
def test_episodes_one_after_the_other(how: str, write) -> None:
    path = write()
    asked = {"id": f"minari:{NAME}", "folder": path.parents[1], "file": path}[how]
    data, written = load(TASK, asked), episodes()
    assert (data.path, data.source, data.rows) == (path, "minari", sum(LENGTHS))
    for key, part in (("observations", slice(0, -1)), ("next_observations", slice(1, None))):
        expected = np.concatenate([episode["observations"][part] for episode in written])
        np.testing.assert_array_equal(getattr(data, key), expected.astype(np.float32))
    for key, key_in_file in (("actions", "actions"), ("rewards", "rewards"),
                        ("terminals", "terminations")):  # fmt: skip
        expected = np.concatenate([episode[key_in_file] for episode in written])
        np.testing.assert_array_equal(getattr(data, key), expected.astype(data.rewards.dtype))
    stops = np.cumsum(LENGTHS)
    np.testing.assert_array_equal(data.episodes[:, 1], stops)
    assert data.notes == (
        f"Minari's {NAME}, made anew by Minari: not D4RL's file",
        "4 episodes end without an end; a timeout stands there",
    )
    rows = qlearning_dataset(data)
    assert len(rows["rewards"]) == data.rows - int(data.timeouts.sum())


def test_elsewhere_the_source_is_other(write, tmp_path: Path) -> None:
    path = write().rename(tmp_path / "mine.hdf5")
    data = load(TASK, path)
    assert data.source == "other" and len(data.notes) == 1


def test_never_in_the_place_of_d4rls_file(write) -> None:
    write()
    with pytest.raises(UserError, match="no data for task hopper-medium-v2"):
        load(TASK)


def test_sets_and_the_nearest_one(write) -> None:
    write()
    write(name="D4RL/pen/human-v2")
    assert sets() == ("D4RL/pen/human-v2", NAME)
    with pytest.raises(UserError, match="did you mean 'mujoco/hopper/medium-v0'"):
        load(TASK, "minari:mujoco/hoper/medium-v0")


@pytest.mark.parametrize("how", ["id", "folder"])
def test_a_set_in_arrow_is_there_and_named(how: str, write, folder: Path) -> None:
    write()
    path = folder / "mujoco" / "hopper" / "arrow-v0"
    (path / "data" / "0").mkdir(parents=True)
    (path / "data" / "0" / "part-0.arrow").write_bytes(b"ARROW1\0\0")
    (path / "data" / "metadata.json").write_text('{"data_format": "arrow"}')
    asked = {"id": "minari:mujoco/hopper/arrow-v0", "folder": path}[how]
    with pytest.raises(
        UserError, match="arrow-v0 is a folder; .*`qipo-ray data import .*arrow-v0 --to"
    ):
        load(TASK, asked)


@pytest.mark.parametrize("name", ["../x", "/etc", "a/../../b", "", "a//b", ".", "a/..", "a\nb"])
def test_ids_never_climb_out(name: str, folder: Path) -> None:
    with pytest.raises(UserError, match="is no id of a Minari data set"):
        load(TASK, f"minari:{name}")


def replaced(key: str, values: object) -> Change:
    def change(file: h5py.File) -> None:
        del file[key]
        if values is not None:
            file[key] = values

    return change


def parted(file: h5py.File, number: int) -> None:
    rows = len(file[f"episode_{number}/observations"])
    del file[f"episode_{number}/observations"]
    file[f"episode_{number}/observations/achieved_goal"] = np.zeros((rows, 2))
    file[f"episode_{number}/observations/observation"] = np.zeros((rows, 27))


def in_parts(file: h5py.File) -> None:
    for number in range(len(LENGTHS)):
        parted(file, number)


def test_other_members_beside_the_episodes(write) -> None:
    path = write(lambda file: file.__setitem__("next_observations", np.zeros((4, 11))))
    assert load(TASK, path).rows == sum(LENGTHS)


FAULTS: dict[str, tuple[Change, str]] = {
    "no rewards": (replaced("episode_3/rewards", None), "misses rewards in episode_3"),
    "an episode less": (replaced("episode_4", None), "misses episodes: it has 11, the last one"),
    "observations in parts": (
        in_parts,
        "in parts ('observations/achieved_goal', 'observations/observation'); `qipo-ray data",
    ),
    "one episode in parts": (
        lambda file: parted(file, 1),
        "episode_1 and episode_0 differ: one of them misses 'observations'",
    ),
    "one observation too few": (
        replaced("episode_1/observations", np.zeros((5, 11))),
        "episode_1/observations have shape (5, 11); expected (6, 11)",
    ),
    "another simulator": (replaced("episode_1/actions", np.zeros((5, 6))), "expected (5, 3)"),
    "no steps": (replaced("episode_2/rewards", np.zeros(0)), "episode_2/"),
    "not finite": (
        replaced("episode_2/rewards", np.full(1, np.nan)),
        "episode_2/rewards hold NaN",
    ),
    "flags": (replaced("episode_2/truncations", np.full(1, 3)), "other than 0 and 1"),
    "an array as episode": (replaced("episode_2", 3), "'episode_2' is an array"),
    "a linked episode": (
        replaced("episode_2", h5py.ExternalLink("additional_data_1.hdf5", "episode_2")),
        "'episode_2' is a link to somewhere else",
    ),
    "a linked column": (
        replaced("episode_2/rewards", h5py.SoftLink("/episode_3/rewards")),
        "'rewards' is a link",
    ),
}


@pytest.mark.slow_after(4)
@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_named(name: str, write) -> None:
    change, message = FAULTS[name]
    path = write(change)
    with pytest.raises(UserError) as caught:
        load(TASK, path)
    line = str(caught.value)
    assert message in line and str(path) in line and TASK in line and "\n" not in line


def as_columns(file: h5py.File) -> None:
    for group in file.values():
        for key in ("rewards", "terminations", "truncations"):
            values = group[key][...].reshape(-1, 1)
            del group[key]
            group[key] = values


def test_columns_of_one_number_are_taken(write) -> None:
    """As in D4RL's layout."""
    plain, columns = load(TASK, write()), load(TASK, write(as_columns, name="own/columns-v0"))
    for key in ("rewards", "terminals", "timeouts"):
        np.testing.assert_array_equal(getattr(columns, key), getattr(plain, key))


def test_episodes_may_differ_in_type(write) -> None:
    rewards = np.array([1, 2, 3], np.int64)
    data = load(TASK, write(replaced("episode_0/rewards", rewards)))
    np.testing.assert_array_equal(data.rewards[:3], rewards)
    np.testing.assert_array_equal(data.rewards[3:8], episodes()[1]["rewards"].astype("f4"))


@pytest.mark.slow
def test_many_short_episodes_are_read_within_the_limits_of_a_process(folder: Path) -> None:
    """Of memory and of CPU time: HDF5 by itself would keep headers of each episode."""
    path, count = folder / "many.hdf5", 8000
    folder.mkdir()
    with h5py.File(path, "w") as file:
        for i, columns in enumerate(episodes((2,) * count)):
            for key, values in columns.items():
                file[f"episode_{i}/{key}"] = values
    data = load(TASK, path)
    assert (data.rows, len(data.episodes)) == (2 * count, count)


def test_a_single_row_is_not_enough(write) -> None:
    with pytest.raises(UserError, match="fewer than two rows"):
        load(TASK, write(lengths=(1,)))


@pytest.mark.filterwarnings("ignore::UserWarning:minari")
def test_written_by_minari_itself(folder: Path) -> None:
    """Against the library's own writer, where it is installed."""
    minari = pytest.importorskip("minari", reason="Minari is not installed: NOT TESTED AGAINST IT")
    gymnasium = pytest.importorskip("gymnasium")
    from minari.data_collector import EpisodeBuffer

    buffers, written = [], episodes((4, 7))
    for i, episode in enumerate(written):
        buffers.append(
            EpisodeBuffer(
                id=i,
                observations=list(episode["observations"]),
                actions=list(episode["actions"]),
                rewards=list(episode["rewards"]),
                terminations=list(episode["terminations"]),
                truncations=list(episode["truncations"]),
            )
        )
    box = gymnasium.spaces.Box
    minari.create_dataset_from_buffers(
        "own/hopper/test-v0",
        buffer=buffers,
        observation_space=box(-np.inf, np.inf, (11,), np.float64),
        action_space=box(-1, 1, (3,), np.float32),
    )
    data = load(TASK, "minari:own/hopper/test-v0")
    np.testing.assert_array_equal(
        data.observations, np.concatenate([o["observations"][:-1] for o in written]).astype("f4")
    )
