from __future__ import annotations

import hashlib
import os
import tracemalloc
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from qipo_ray.data.d4rl_hdf5 import counted_timeouts
from qipo_ray.data.load import read
from qipo_ray.data.tasks import get_task
from qipo_ray.errors import UserError

TASK = "hopper-medium-replay-v2"


def refused(path: Path, expected: str, task_id: str = TASK) -> str:
    with pytest.raises(UserError) as caught:
        read(path, get_task(task_id))
    line = str(caught.value)
    assert expected in line and str(path) in line and task_id in line and "\n" not in line
    return line


# What each family's files look like.


def test_locomotion_replay_is_float64_with_scalars_in_metadata(columns, write) -> None:
    content = columns(TASK)
    for key in ("observations", "actions", "rewards"):
        content[key] = content[key].astype(np.float64) + 1e-12
    content["terminals"][9] = content["timeouts"][29] = True
    content["next_observations"] = content["observations"] + 1
    content["infos/qpos"] = np.zeros((40, 6))
    content["infos/action_log_probs"] = np.zeros(40)
    content["metadata/algorithm"] = np.bytes_("SAC")
    content["metadata/iteration"] = np.int64(3)
    path = write(content)
    data = read(path, get_task(TASK))
    assert data.task_id == TASK and data.rows == 40 and data.path == path
    assert data.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    for key in ("observations", "actions", "rewards", "next_observations"):
        values = getattr(data, key)
        assert values.dtype == np.float32 and values.flags.c_contiguous
        np.testing.assert_array_equal(values, content[key].astype(np.float32))
    assert data.terminals.dtype == data.timeouts.dtype == bool
    np.testing.assert_array_equal(data.episodes, [[0, 10], [10, 30], [30, 40]])
    assert data.notes == ()


def test_antmaze_keeps_terminals_inside_a_trajectory(columns, write) -> None:
    content = columns("antmaze-umaze-v2")
    content["terminals"][5:8] = True
    content["timeouts"][19] = True
    content["infos/goal"] = np.zeros((40, 2))
    data = read(write(content), get_task("antmaze-umaze-v2"))
    assert data.terminals.sum() == 3 and data.next_observations is None
    assert len(data.episodes) == 5


def test_adroit_mixes_float_types_and_carries_policies(columns, write) -> None:
    content = columns("pen-cloned-v1")
    content["observations"] = content["observations"].astype(np.float64)
    content["terminals"] = content["terminals"].astype(np.uint8)
    content["timeouts"][39] = True
    content["metadata/policy/fc0/weight"] = np.zeros((3, 3))
    content["action_log_std"] = np.zeros((40, 24))
    data = read(write(content), get_task("pen-cloned-v1"))
    assert data.observations.dtype == np.float32 and data.terminals.dtype == bool


def test_kitchen_has_infos_as_a_data_set(columns, write) -> None:
    content = columns("kitchen-complete-v0")
    content["infos"] = np.array([b"{}"] * 40)
    content["rewards"] = content["rewards"].reshape(40, 1)
    data = read(write(content), get_task("kitchen-complete-v0"))
    assert data.observations.shape == (40, 60) and data.rewards.shape == (40,)


def test_maze2d_of_the_public_generator_has_no_timeouts(columns, write) -> None:
    content = columns("maze2d-umaze-v1", rows=700)
    content["timeouts"] = None
    data = read(write(content), get_task("maze2d-umaze-v1"))
    np.testing.assert_array_equal(np.flatnonzero(data.timeouts), [299, 599])
    assert "no timeouts" in data.notes[0]


def test_counted_timeouts_step_by_step_as_d4rl_counts() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        terminals = rng.random(60) < rng.choice([0.0, 0.05, 0.3])
        step, expected = 0, []
        for done in terminals:  # the loop of D4RL's qlearning_dataset
            final = step == 6
            expected.append(final)
            if final:
                step = 0
                continue
            if done:
                step = 0
            step += 1
        np.testing.assert_array_equal(counted_timeouts(terminals, 7), expected)


def test_actions_outside_the_box_are_kept_and_noted(columns, write) -> None:
    content = columns(TASK)
    content["actions"][3, 1] = 1.37
    data = read(write(content), get_task(TASK))
    assert data.actions.max() == np.float32(1.37) and "1.37" in data.notes[0]


def test_big_endian_numbers(columns, write) -> None:
    content = columns(TASK)
    content["rewards"] = np.arange(40, dtype=">f4")
    np.testing.assert_array_equal(read(write(content), get_task(TASK)).rewards, np.arange(40))


# Where the data came from.


@pytest.mark.parametrize("claim", ["d4rl", "d4rl, unverified", "minari", "published", "D4RL"])
def test_what_a_file_says_of_itself_is_a_claim(claim: str, columns, write) -> None:
    data = read(write(columns(TASK), source=claim), get_task(TASK))
    assert (data.source, data.claim) == ("other", claim)
    assert data.notes == (f"the file says source = {claim!r}; nothing vouches for it",)


@pytest.mark.parametrize("claim", ["generated", "other"])
def test_a_claim_that_takes_away_is_believed(claim: str, columns, write) -> None:
    data = read(write(columns(TASK), source=claim), get_task(TASK))
    assert (data.source, data.notes) == (claim, ())


@pytest.mark.parametrize("mark", [3, [1, 2]])
def test_a_mark_that_is_no_word_is_other(mark, columns, write) -> None:
    assert read(write(columns(TASK), source=mark), get_task(TASK)).source == "other"


def test_only_the_published_hash_makes_it_d4rls(columns, write) -> None:
    pinned = get_task(TASK)
    unpinned = replace(pinned, sha256=None)
    for claim in ({}, {"source": "d4rl"}):
        path = write(columns(TASK), **claim)
        published = replace(pinned, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
        assert read(path, published).source == "d4rl"
        assert read(path, pinned).source == read(path, unpinned).source == "other"
        assert read(path, unpinned, obtained="d4rl").source == "d4rl, unverified"
        suspect = read(path, pinned, obtained="d4rl")
        assert suspect.source == "other" and "SHA-256 differs" in suspect.notes[0]
    for obtained in ("generated", "other"):
        assert read(write(columns(TASK)), unpinned, obtained=obtained).source == obtained


# Files that are something else, or broken.


def test_missing_files_and_folders(tmp_path: Path) -> None:
    refused(tmp_path / "nothing", "does not exist")
    refused(tmp_path, "not a plain file")
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "not a plain file")


def test_every_truncation_is_named(columns, write) -> None:
    path = write(columns(TASK))
    content = path.read_bytes()
    for size in (1, 7, 8, 50, 95, 96, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        expected = "is not an HDF5" if size < 8 else "get it again"
        line = refused(path, expected)
    assert line.endswith(f"of {len(content):,} bytes; get it again")


def test_damaged_compressed_rows_are_named(tmp_path: Path, columns) -> None:
    path = tmp_path / "data.hdf5"
    with h5py.File(path, "w") as file:
        for key, values in columns(TASK, rows=2000).items():
            file.create_dataset(key, data=values, compression="gzip")
        place = file["observations"].id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[place + 100 : place + 116] = bytes(16)
    path.write_bytes(content)
    refused(path, "is damaged", "hopper-medium-replay")


def test_shorter_than_published_is_cut_short(tmp_path: Path) -> None:
    """Under its published name alone: any other file may be as short as it likes."""
    for name, message in (
        ("hopper_medium_replay-v2.hdf5", "is cut short: 13 of the published 75,854,457 bytes"),
        ("mine.hdf5", "is damaged"),
    ):
        path = tmp_path / name
        path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(5))
        refused(path, message)


@pytest.mark.parametrize("key", ["observations", "actions", "rewards", "terminals"])
def test_missing_key(key: str, columns, write) -> None:
    line = refused(write({**columns(TASK), key: None}), f"misses {key}")
    assert "timeouts" in line


@pytest.mark.slow_after(4)
@pytest.mark.parametrize(
    ("key", "values", "expected"),
    [
        ("observations", np.zeros((40, 17), np.float32), "expected (40, 11)"),
        ("observations", np.zeros(40, np.float32), "expected (40, 11)"),
        ("observations", np.zeros((0, 11), np.float32), "at least two rows"),
        ("observations", np.zeros((1, 11), np.float32), "at least two rows"),
        ("observations", np.float32(3), "at least two rows"),
        ("observations", h5py.Empty("f4"), "at least two rows"),
        ("actions", np.zeros((40, 6), np.float32), "expected (40, 3)"),
        ("actions", np.zeros((39, 3), np.float32), "expected (40, 3)"),
        ("rewards", np.zeros(41, np.float32), "expected (40,)"),
        ("rewards", np.zeros((40, 2), np.float32), "expected (40,)"),
        ("terminals", h5py.Empty("f4"), "expected (40,)"),
        ("timeouts", np.zeros(39, bool), "expected (40,)"),
        ("next_observations", np.zeros((40, 10), np.float32), "expected (40, 11)"),
        ("rewards", np.full(40, np.nan, np.float32), "rewards hold NaN"),
        ("rewards", np.full(40, 1e300), "as in row 0"),
        ("terminals", np.full(40, 2), "other than 0 and 1"),
        ("terminals", np.full(40, np.nan), "other than 0 and 1"),
        ("rewards", np.array([b"1.0"] * 40), "expected numbers"),
        ("rewards", np.zeros(40, np.complex64), "expected numbers"),
        ("rewards", np.zeros(40, [("a", "f4")]), "expected numbers"),
    ],
)
def test_wrong_contents(key: str, values, expected: str, columns, write) -> None:
    assert key in refused(write({**columns(TASK), key: values}), expected)


def test_transposed_arrays_are_named(columns, write) -> None:
    """As MATLAB 7.3 writes them: HDF5, but columns first."""
    content = columns(TASK)
    tables = {key: content[key].T for key in ("observations", "actions")}
    refused(write(content | tables), "(11, 40), rows and columns exchanged, as MATLAB writes")


def test_not_finite_names_the_row(columns, write) -> None:
    content = columns(TASK)
    content["observations"][17, 4] = np.inf
    refused(write(content), "observations hold NaN or infinite numbers, as in row 17")


# Files made to harm.


@pytest.fixture
def neighbour(tmp_path: Path) -> Path:
    """A file beside the data whose content must not be read through it."""
    path = tmp_path / "neighbour.hdf5"
    with h5py.File(path, "w") as file:
        file["rewards"] = np.full(40, 42.0, np.float32)
    return path


def test_links_are_refused(columns, write, neighbour: Path) -> None:
    for link in (h5py.ExternalLink(neighbour.name, "rewards"), h5py.SoftLink("/actions")):
        refused(write({**columns(TASK), "rewards": link}), "'rewards' is a link")
    refused(write({**columns(TASK), "infos": h5py.ExternalLink(neighbour.name, "/")}), "'infos'")


def test_virtual_and_external_storage_are_refused(columns, write, neighbour: Path) -> None:
    path = write({**columns(TASK), "rewards": None})
    layout = h5py.VirtualLayout(shape=(40,), dtype="f4")
    layout[:] = h5py.VirtualSource(str(neighbour), "rewards", shape=(40,))
    with h5py.File(path, "a") as file:
        file.create_virtual_dataset("rewards", layout)
    refused(path, "from other files")
    with h5py.File(path, "a") as file:
        del file["rewards"]
        file.create_dataset("rewards", (40,), "f4", external=[(str(neighbour), 0, 160)])
    refused(path, "from other files")


def test_objects_and_groups_are_refused(columns, write) -> None:
    path = write({**columns(TASK), "rewards": None})
    with h5py.File(path, "a") as file:
        file.create_dataset("rewards", (40,), dtype=h5py.string_dtype())
    refused(path, "expected numbers")
    with h5py.File(path, "a") as file:
        del file["rewards"]
        file.create_dataset("rewards", (40,), dtype=h5py.vlen_dtype(np.float32))
    refused(path, "expected numbers")
    refused(write({**columns(TASK), "rewards": None, "rewards/a": np.zeros(3)}), "is a group")


@pytest.mark.parametrize("rows", [10**10, 2**62])
def test_absurd_shapes_are_refused_before_reading(rows: int, tmp_path: Path) -> None:
    path = tmp_path / "bomb.hdf5"
    with h5py.File(path, "w") as file:
        for key, width in (("observations", 11), ("actions", 3)):
            file.create_dataset(key, (rows, width), "f4", chunks=(1000, width))
        for key in ("rewards", "terminals"):
            file.create_dataset(key, (rows,), "f4", chunks=(1000,))
    assert path.stat().st_size < 20_000
    tracemalloc.start()
    refused(path, "chunks; at most 50,000 are read")
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


def test_absurd_chunks_are_refused(tmp_path: Path, columns) -> None:
    path = tmp_path / "chunk.hdf5"
    content = columns(TASK)
    with h5py.File(path, "w") as file:
        for key, values in content.items():
            if key != "rewards":
                file[key] = values
        column = file.create_dataset("rewards", (40,), "f4", chunks=(2**28,), maxshape=(None,))
        column.id.write_direct_chunk((0,), b"one")
    refused(path, "chunks of 1.07 GB of data")
