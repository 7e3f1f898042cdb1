"""Data sets that Minari itself writes, in its three formats, against what was put into them."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest

from qipo_ray.data.load import load
from qipo_ray.errors import UserError

from .conftest import ACTIONS, STATES, episode

minari = pytest.importorskip("minari", reason="Minari is not installed: NOT TESTED ON ITS SETS")
gymnasium = pytest.importorskip("gymnasium")
spaces = gymnasium.spaces

FORMATS = ("hdf5", "arrow", "parquet")
NEVER = (-np.inf, np.inf)
Make = Callable[..., Path]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    return tmp_path / "minari"


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Minari warns of every field that is not filled in."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def box(width: int) -> Any:
    return spaces.Box(*NEVER, (width,), np.float32)


@pytest.fixture
def make(folder: Path) -> Make:
    """Let Minari write episodes; ``observed`` is their space."""

    def run(form: str, episodes: list[dict[str, Any]], observed: Any = None, **more: Any) -> Path:
        name = more.pop("name", f"own/{form}-v0")
        buffers = [minari.data_collector.EpisodeBuffer(**{"infos": {}, **e}) for e in episodes]
        minari.create_dataset_from_buffers(
            name, buffers, observation_space=observed or box(STATES),
            action_space=more.pop("acted", box(ACTIONS)), data_format=form,
        )  # fmt: skip
        return folder / name

    return run


def rows_of(episodes: list[dict[str, Any]]) -> dict[str, Any]:
    """What must come, computed from what was written."""
    last = [np.arange(len(e["rewards"])) == len(e["rewards"]) - 1 for e in episodes]
    steps = [len(e["rewards"]) for e in episodes]
    terminals = np.concatenate([e["terminations"] for e in episodes])
    pairs = list(zip(episodes, steps, strict=True))
    return {
        "observations": np.concatenate([e["observations"][:n] for e, n in pairs]),
        "next_observations": np.concatenate(
            [np.r_[e["observations"], e["observations"][-1:]][1 : n + 1] for e, n in pairs]
        ),
        "actions": np.concatenate([e["actions"] for e in episodes]),
        "rewards": np.concatenate([e["rewards"] for e in episodes]).astype(np.float32),
        "terminals": terminals,
        "timeouts": np.concatenate(last) & ~terminals,
    }


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_gives_the_same_rows(form: str, make: Make, imported) -> None:
    """Ten episodes and more, so that episode 10 does not come before episode 2."""
    episodes = [episode(3 + i % 3, seed=i, ends=i % 2 == 0) for i in range(12)]
    make(form, episodes)
    data = imported(f"minari:own/{form}-v0")
    for name, expected in rows_of(episodes).items():
        np.testing.assert_array_equal(data[name], expected, err_msg=name)
        assert data[name].dtype == expected.dtype
    assert (data["origin"], data["notes"]) == (f"Minari's own/{form}-v0 ({form})", [])
    again = imported(f"minari:own/{form}-v0")
    assert again["path"].read_bytes() == data["path"].read_bytes()


def test_minaris_file_is_named_from_any_folder(
    make: Make, imported, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make("hdf5", [episode(4)]) / "data"
    for folder, named in ((path, ""), (path.parent, "data/"), (path.parent.parent, f"{path}/")):
        monkeypatch.chdir(folder)
        assert len(imported(f"{named}main_data.hdf5")["rewards"]) == 4


@pytest.mark.parametrize("form", FORMATS)
def test_an_episode_beyond_32767_rows_stays_whole(form: str, make: Make, imported) -> None:
    """Minari 0.5.4 hands out its first 32,767 steps, and the rest as the next episode."""
    episodes = [episode(33_000), episode(5, seed=1)]
    data = imported(make(form, episodes))
    for name, expected in rows_of(episodes).items():
        np.testing.assert_array_equal(data[name], expected, err_msg=name)


@pytest.mark.parametrize("form", FORMATS)
def test_as_many_observations_as_actions(form: str, make: Make, imported) -> None:
    """From a buffer in D4RL's shape: the last step, and with it the end, is there."""
    episodes = [episode(4, 0), episode(5, seed=1), episode(6, 0, seed=2, ends=False)]
    data = imported(make(form, episodes))
    for name, expected in rows_of(episodes).items():
        np.testing.assert_array_equal(data[name], expected, err_msg=name)
    assert data["notes"] == [
        "2 episodes have no observation after their last action; where that is no terminal, the "
        "last step is not trained on"
    ]


# As gymnasium-robotics orders them; sorted, `achieved` would come first.
PARTS = {"robot": 2, "goal": 1, "achieved": 3}


def in_parts(steps: int, seed: int = 0) -> dict[str, Any]:
    columns = episode(steps, seed=seed)
    rng = np.random.default_rng(seed)
    columns["observations"] = {
        name: rng.normal(size=(steps + 1, width)).astype(np.float32)
        for name, width in PARTS.items()
    }
    return columns


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("chosen", [(), ("achieved", "robot")])
def test_a_dictionary_in_the_order_of_its_environment(
    form: str, chosen: tuple[str, ...], make: Make, imported
) -> None:
    observed = spaces.Dict([(name, box(width)) for name, width in PARTS.items()])
    assert list(observed.spaces) == list(PARTS)
    episodes = [in_parts(4), in_parts(5, seed=1)]
    data = imported(make(form, episodes, observed), None, *chosen)
    for key, rows in (("observations", slice(0, -1)), ("next_observations", slice(1, None))):
        expected = [
            np.concatenate([e["observations"][name][rows] for name in chosen or PARTS], axis=1)
            for e in episodes
        ]
        np.testing.assert_array_equal(data[key], np.concatenate(expected))
    if not chosen:
        states = {name: values[0] for name, values in episodes[0]["observations"].items()}
        np.testing.assert_array_equal(data["observations"][0], spaces.flatten(observed, states))


@pytest.mark.parametrize("form", FORMATS)
def test_a_tuple_with_a_dictionary_in_it(form: str, make: Make, imported) -> None:
    observed = spaces.Tuple([spaces.Dict([("b", box(1)), ("a", box(2))]), box(1)])
    columns = episode(3)
    values = [np.full((4, width), width + at, np.float32) for at, width in enumerate((1, 2, 1))]
    columns["observations"] = ({"b": values[0], "a": values[1]}, values[2])
    data = imported(make(form, [columns], observed))
    np.testing.assert_array_equal(data["observations"], np.tile(np.float32([1, 3, 3, 3]), (3, 1)))
    with pytest.raises(UserError, match=r"no part 'a' .*it has 0/b, 0/a, 1"):
        imported(f"minari:own/{form}-v0", None, "a")


def test_jagged_infos_are_not_opened(make: Make, imported) -> None:
    columns = episode(3)
    infos = {"seen": [[1.0], [1.0, 2.0], [], [3.0]]}
    data = imported(make("arrow", [{**columns, "infos": infos}]))
    np.testing.assert_array_equal(data["actions"], columns["actions"])


@pytest.mark.parametrize(
    ("observed", "acted", "words"),
    [
        (spaces.Discrete(4), None, "observation_space is Discrete; expected boxes of numbers"),
        (None, spaces.Discrete(4), "action_space is Discrete; expected boxes of numbers"),
        (
            spaces.Dict({"mode": spaces.Discrete(4)}),
            None,
            "observation_space 'mode' is Discrete; expected boxes of numbers, and parts of them",
        ),
    ],
)
@pytest.mark.parametrize("form", FORMATS)
def test_discrete_spaces_are_named(
    form: str, observed: Any, acted: Any, words: str, make: Make, imported
) -> None:
    columns = episode(3)
    if observed is not None:
        held = np.arange(4) % 4
        single = isinstance(observed, spaces.Discrete)
        columns["observations"] = held if single else {"mode": held}
    if acted is not None:
        columns["actions"] = np.arange(3) % 4
    path = make(form, [columns], observed, acted=acted or box(ACTIONS))
    with pytest.raises(UserError, match=words):
        imported(path)


@pytest.mark.parametrize("form", FORMATS)
def test_a_combined_set_says_that_filters_are_gone(form: str, make: Make, imported) -> None:
    make(form, [episode(4), episode(6, seed=1)])
    kept = minari.load_dataset(f"own/{form}-v0").filter_episodes(lambda e: len(e) > 4)
    assert len(kept) == 1
    minari.combine_datasets([kept], "own/combined-v0")
    data = imported("minari:own/combined-v0")
    assert len(data["rewards"]) == 10
    assert data["notes"] == [
        f"Minari combined it from own/{form}-v0: episodes that were filtered out before are in it "
        "again"
    ]


def damaged(path: Path) -> None:
    part = path / "data" / "1" / "part-0.parquet"
    part.write_bytes(part.read_bytes()[:-9])


def renamed(path: Path) -> None:
    part = path / "data" / "1" / "part-0.parquet"
    held = pq.read_table(part)
    names = [name.replace("rewards", "reward") for name in held.column_names]
    pq.write_table(held.rename_columns(names), part)


def json_change(name: str, **changes: Any) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        file = path / "data" / name
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))

    return change


FAULTS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "an episode less": (lambda path: shutil.rmtree(path / "data" / "1"), "says 2"),
    "the first one less": (lambda path: shutil.rmtree(path / "data" / "0"), "misses episodes"),
    "a file less": (lambda p: (p / "data/1/part-0.parquet").unlink(), "misses 1/part-0.parquet"),
    "cut short": (damaged, "1/part-0.parquet is damaged"),
    "no rewards": (renamed, "1/part-0.parquet misses rewards"),
    "other steps": (json_change("1/metadata.json", total_steps=9), "episode_1 has 6 rows, and"),
    "no space": (json_change("metadata.json", observation_space=None), "its observation_space"),
    "another format": (json_change("metadata.json", data_format="zarr"), "is kept as 'zarr'"),
    "no json": (lambda path: (path / "data/metadata.json").write_text("{"), "cannot be read"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_named(name: str, make: Make, imported) -> None:
    change, words = FAULTS[name]
    path = make("parquet", [episode(4), episode(5, seed=1)])
    change(path)
    with pytest.raises(UserError, match=words) as caught:
        imported(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_a_damaged_arrow_file_is_named(make: Make, imported) -> None:
    """Cut anywhere, or with bytes of its head exchanged; the numbers themselves have no check."""
    path = make("arrow", [episode(4), episode(5, seed=1)])
    part = path / "data" / "1" / "part-0.arrow"
    whole = part.read_bytes()
    for content in (whole[:20], whole[: len(whole) // 2], whole[:-9], b"ARROW1" + bytes(900)):
        part.write_bytes(content)
        with pytest.raises(UserError, match="1/part-0.arrow is damaged"):
            imported(path)


@pytest.mark.parametrize(
    ("key", "shape", "words"),
    [
        ("rewards", (4, 2), "rewards have rows of shape .2,.; expected one number a row"),
        ("truncations", (4, 2), "truncations have rows of shape"),
        ("observations", (5, 2), "observations have 2 numbers a row; its space has 3"),
        ("observations", (3, 3), "episode_0/observations have 3 rows; expected 4, the steps"),
        ("actions", (3, 2), "episode_0/actions have 3 rows; expected 4"),
    ],
)
def test_other_shapes_in_hdf5(
    key: str, shape: tuple[int, int], words: str, make: Make, imported
) -> None:
    path = make("hdf5", [episode(4)])
    with h5py.File(path / "data" / "main_data.hdf5", "r+") as file:
        del file[f"episode_0/{key}"]
        file[f"episode_0/{key}"] = np.zeros(shape, np.float32)
    with pytest.raises(UserError, match=words):
        imported(path)


def test_not_finite_and_of_another_width(make: Make, imported) -> None:
    columns = episode(4)
    columns["observations"][2, 1] = np.nan
    with pytest.raises(UserError, match="episode_0/observations hold NaN .* in row 2"):
        imported(make("arrow", [columns]))
    with pytest.raises(UserError, match="0.hdf5|observations have shape .* expected"):
        imported(make("arrow", [episode(4)], name="own/x-v0"), "hopper-medium-v2")


@pytest.mark.parametrize("form", FORMATS)
def test_where_data_are_taken_the_command_is_named(form: str, make: Make, imported) -> None:
    """HDF5 of one array is read as it is; every other format names the import."""
    path = make(form, [episode(4), episode(5, seed=1)], name="own/point-v0")
    asked = "minari:own/point-v0"
    if form == "hdf5":
        with pytest.raises(UserError, match="expected"):  # three numbers, where `point` has two
            load("point", asked)
        return
    for source in (asked, str(path)):
        with pytest.raises(UserError, match=f"`qipo-ray data import {source} --to FILE.hdf5`"):
            load("point", source)


def test_a_dictionary_in_hdf5_names_the_command(make: Make) -> None:
    observed = spaces.Dict([(name, box(width)) for name, width in PARTS.items()])
    path = make("hdf5", [in_parts(4)], observed)
    with h5py.File(path / "data" / "main_data.hdf5") as file:
        assert sorted(file["episode_0/observations"]) == sorted(PARTS)
    with pytest.raises(UserError, match=f"in parts .*`qipo-ray data import {path} --to"):
        load("point", path)
