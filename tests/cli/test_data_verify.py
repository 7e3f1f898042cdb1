"""``qipo-ray data verify`` on sound, planted and real files."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

DataVerb = Callable[..., tuple[int, str, str]]


@pytest.fixture
def maze_file(tmp_path: Path, data_verb: DataVerb) -> Path:
    path = tmp_path / "maze2d-umaze-small.hdf5"
    code, *_ = data_verb("make", "maze2d-umaze", "--rows", "2000", "--output", str(path))
    assert code == 0
    return path


def test_a_sound_file(maze_file: Path, data_verb: DataVerb) -> None:
    code, out, err = data_verb("verify", str(maze_file))
    assert (code, err) == (0, "")
    last = out.splitlines()[-1]
    assert last == f"{maze_file.name}, task maze2d-umaze, source generated: nothing is wrong"
    code, out, _ = data_verb("verify", str(maze_file), "--json")
    document = json.loads(out)
    assert (code, document["wrong"], document["task"]) == (0, 0, "maze2d-umaze")
    assert "replay" in [one["name"] for one in document["checks"]]


def test_a_planted_file_is_named(maze_file: Path, data_verb: DataVerb) -> None:
    """The layout, the sizes and the label are right; the rows come from somewhere else."""
    with h5py.File(maze_file, "r+") as file:
        states = file["observations"][...]
        file["observations"][...] = np.random.default_rng(0).permutation(states)
    code, out, _ = data_verb("verify", str(maze_file))
    assert code == 1
    assert "WRONG replay" in out and "these rows are not of maze2d-umaze" in out
    assert out.splitlines()[-1].endswith("WRONG: replay, rewards")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.hdf5", "--task", "point"], "does not exist"),
        (["hoper-medium-v2"], "did you mean 'hopper-medium-v2'?"),
        (["point", "--task", "point"], "is no file"),
    ],
)
def test_mistakes(arguments: list[str], words: str, data_verb: DataVerb) -> None:
    code, out, err = data_verb("verify", *arguments)
    assert (code, out) == (2, "")
    assert words in err and err.count("\n") == 1


def test_real_files(data_verb: DataVerb) -> None:
    folder = os.environ.get("QIPO_TEST_DATA")
    if not folder:
        pytest.skip("QIPO_TEST_DATA names no folder: NOT TESTED AGAINST REAL FILES")
    files = sorted(Path(folder).glob("*.hdf5"))
    assert files
    for path in files:
        body, real, _ = path.stem.partition("-me-real")  # a name that does not tell the task
        task = ["--task", f"{body}-medium-expert-v2"] if real else []
        code, out, err = data_verb("verify", str(path), *task)
        assert code == 0, out + err
