"""Files of arrays that people have: NumPy's and Parquet's, all rows in one, or one an episode."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from qipo_ray.data.load import load
from qipo_ray.errors import UserError

from .conftest import episode

Columns = dict[str, Any]
Write = Callable[[Path, Columns], Any]


def npz(path: Path, columns: Columns) -> None:
    np.savez_compressed(path, **columns)


def arrow_lists(path: Path, columns: Columns) -> None:
    lists = {key: list(values) for key, values in columns.items()}
    pq.write_table(pa.table(lists), path)


def pandas_lists(path: Path, columns: Columns) -> None:
    lists = {key: list(values) for key, values in columns.items()}
    pandas.DataFrame(lists).to_parquet(path)


KINDS: dict[str, tuple[str, Write]] = {
    "npz": (".npz", npz),
    "arrow": (".parquet", arrow_lists),
    "pandas": (".parquet", pandas_lists),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_of_episodes(kind: str, tmp_path: Path, imported) -> None:
    """Numbers in names count, not letters; the second ends by nothing that is marked."""
    suffix, write = KINDS[kind]
    held = [episode(3 + n, extra=0, seed=n) for n in range(11)]
    held[1]["terminations"][:] = False
    for number, columns in enumerate(held):
        write(tmp_path / f"episode_{number}{suffix}", columns)
    (tmp_path / "readme.txt").write_text("mine")
    data = imported(tmp_path)
    for name in ("observations", "actions"):
        np.testing.assert_array_equal(data[name], np.concatenate([e[name] for e in held]))
    stops = np.cumsum([len(e["rewards"]) for e in held]) - 1
    assert np.flatnonzero(data["terminals"]).tolist() == [*stops[:1], *stops[2:]]
    assert np.flatnonzero(data["timeouts"]).tolist() == [stops[1]]
    assert data["origin"] == f"{tmp_path.name}, 11 episodes in {suffix}, imported"


def test_the_state_after_the_last_action(tmp_path: Path, imported) -> None:
    columns = episode(4)
    npz(tmp_path / "0.npz", columns)
    data = imported(tmp_path)
    np.testing.assert_array_equal(data["next_observations"], columns["observations"][1:])
    columns["next_observations"] = columns["observations"][1:] + 1
    npz(tmp_path / "0.npz", {**columns, "observations": columns["observations"][:-1]})
    data = imported(tmp_path)
    np.testing.assert_array_equal(data["next_observations"], columns["next_observations"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ends", ["timeouts", "dones"])
def test_one_file_of_all_rows(kind: str, ends: str, tmp_path: Path, imported) -> None:
    """Its columns are D4RL's, and ends have the meaning that they have in HDF5."""
    suffix, write = KINDS[kind]
    rng = np.random.default_rng(0)
    columns = {
        "observations": rng.normal(size=(9, 2)).astype(np.float32),
        "actions": rng.uniform(-1, 1, (9, 2)).astype(np.float32),
        "rewards": rng.normal(size=9).astype(np.float32),
        "terminals": np.arange(9) == 3,
        ends: np.arange(9) % 9 == 8,
    }
    path = tmp_path / f"own{suffix}"
    write(path, columns)
    data = imported(path, "point")
    for name, values in columns.items():
        np.testing.assert_array_equal(data[name], values)
    read = load("point", data["path"])
    assert read.episodes.tolist() == [[0, 4], [4, 9]] and read.source == "other"
    assert f"source = 'own{suffix}, imported'" in read.notes[0]


def test_a_file_for_another_task(tmp_path: Path, imported) -> None:
    npz(tmp_path / "own.npz", {**episode(4, extra=0), "terminals": np.zeros(4)})
    words = r"own.npz for task point observations have shape \(4, 3\); expected \(4, 2\)"
    with pytest.raises(UserError, match=words):
        imported(tmp_path / "own.npz", "point")


def without(key: str, **more: Any) -> Write:
    def write(path: Path, columns: Columns) -> None:
        npz(path, {k: v for k, v in {**columns, **more}.items() if k != key})

    return write


def objects(path: Path, columns: Columns) -> None:
    np.savez(path, **{**columns, "actions": np.array([{}] * 4)})


def cut(path: Path, columns: Columns) -> None:
    npz(path, columns)
    path.write_bytes(path.read_bytes()[:-30])


def newer_zip(path: Path, columns: Columns) -> None:
    """One byte of the directory exchanged: it asks for version 15.3 of the format."""
    npz(path, columns)
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 6] = 153
    path.write_bytes(content)


def huge(path: Path, columns: Columns) -> None:
    """An archive that says it unpacks to 60 GB."""
    npz(path, columns)
    with zipfile.ZipFile(path, "a") as file:
        for number in range(9):
            file.writestr(f"{number}.npy", b"")
    size = (2**32 - 2).to_bytes(4, "little")
    entries = re.compile(rb"(PK\x01\x02.{20}).{4}", re.DOTALL)
    path.write_bytes(entries.sub(lambda entry: entry[1] + size, path.read_bytes()))


def jagged(path: Path, columns: Columns) -> None:
    columns = {key: list(values) for key, values in columns.items()}
    columns["observations"] = [row[: 1 + n % 2] for n, row in enumerate(columns["observations"])]
    pq.write_table(pa.table(columns), path)


def empty_cell(path: Path, columns: Columns) -> None:
    columns = {key: list(values) for key, values in columns.items()}
    columns["rewards"][2] = None
    pq.write_table(pa.table(columns), path)


FAULTS: dict[str, tuple[str, Write, str]] = {
    "no rewards": ("0.npz", without("rewards"), "0.npz misses rewards; it holds"),
    "python objects": ("0.npz", objects, "0.npz holds Python objects, which are never opened"),
    "cut short": ("0.npz", cut, "0.npz is damaged"),
    "of a newer format": ("0.npz", newer_zip, "0.npz is damaged .'zip file version 15.3'."),
    "huge": ("0.npz", huge, "declares 60.1 GB; at most 34.4 are read"),
    "fewer actions": (
        "0.npz",
        without("", actions=np.zeros((3, 2))),
        "0.npz/actions have 3 rows; expected 4, as many as rewards",
    ),
    "text": ("0.npz", without("", actions=np.array(["a"] * 4)), "have type <U1; expected numbers"),
    "flags": ("0.npz", without("", terminations=np.full(4, 3)), "values other than 0 and 1"),
    "other ends": (
        "0.npz",
        lambda path, columns: npz(
            path,
            {"episode_ends": columns["truncations"]}
            | {k: columns[k] for k in ("observations", "actions", "rewards")},
        ),
        "'episode_ends' may mark the ends of episodes",
    ),
    "rewards of no row": ("0.npz", without("", rewards=np.nan), "0.npz/rewards have no rows"),
    "two rewards a row": (
        "0.npz",
        without("", rewards=np.zeros((4, 2))),
        r"0.npz/rewards have shape \(4, 2\); expected one number a row",
    ),
    "no numbers": (
        "0.npz",
        without("", observations=np.zeros((4, 0))),
        "0.npz/observations have no numbers in a row",
    ),
    "jagged lists": ("0.parquet", jagged, "0.parquet/observations have lists of different"),
    "an empty cell": ("0.parquet", empty_cell, "0.parquet/rewards have cells without a value"),
    "another file": ("0.txt", lambda path, columns: path.write_text("x"), "holds no episodes"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_named(name: str, tmp_path: Path, imported) -> None:
    file, write, words = FAULTS[name]
    write(tmp_path / file, episode(4, extra=0))
    with pytest.raises(UserError, match=words):
        imported(tmp_path)


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("rewards", np.float32(1), "rewards have no rows"),
        ("rewards", np.array(np.nan), "rewards have no rows"),
        ("rewards", np.zeros((4, 2)), r"rewards have shape \(4, 2\); expected one number a row"),
        (
            "terminals",
            np.zeros((2, 2)),
            r"terminals have shape \(2, 2\); expected one number a row",
        ),
        ("observations", np.float32(1), "observations have no rows"),
        ("observations", np.zeros((4, 0)), "observations have no numbers in a row"),
        ("actions", np.zeros((4, 2, 0)), "actions have no numbers in a row"),
    ],
)
def test_shapes_of_one_file(name: str, values: Any, words: str, tmp_path: Path, imported) -> None:
    columns = {**episode(4, extra=0), "terminals": np.zeros(4), name: values}
    npz(tmp_path / "own.npz", columns)
    with pytest.raises(UserError, match=f"own.npz: {words}$"):
        imported(tmp_path / "own.npz")


def test_one_file_may_have_rewards_in_a_column(tmp_path: Path, imported) -> None:
    rewards = np.arange(4.0)
    columns = {**episode(4, extra=0), "terminals": np.zeros(4), "rewards": rewards[:, None]}
    npz(tmp_path / "own.npz", columns)
    assert imported(tmp_path / "own.npz")["rewards"].tolist() == rewards.tolist()


def test_two_formats_in_a_folder_and_two_widths(tmp_path: Path, imported) -> None:
    npz(tmp_path / "0.npz", episode(4))
    wide = episode(4, seed=1)
    npz(tmp_path / "1.npz", {**wide, "observations": wide["observations"][:, :2]})
    with pytest.raises(UserError, match="observations have 2 and 3 numbers a row"):
        imported(tmp_path)
    arrow_lists(tmp_path / "2.parquet", episode(4, extra=0))
    with pytest.raises(UserError, match="holds .npz and .parquet; expected a folder of episodes"):
        imported(tmp_path)
