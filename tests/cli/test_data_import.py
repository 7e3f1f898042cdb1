"""``qipo-ray data import``: one file from another format, which the other verbs take."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

DataVerb = Callable[..., tuple[int, str, str]]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    columns = {
        "observations": rng.uniform(-1, 1, (50, 2)),
        "actions": rng.uniform(-1, 1, (50, 2)),
        "rewards": -rng.uniform(size=50),
        "terminals": np.zeros(50, bool),
        "timeouts": np.arange(50) % 25 == 24,
    }
    np.savez(tmp_path / "own.npz", **columns)
    return tmp_path / "own.npz"


def test_what_is_imported_is_taken(source: Path, tmp_path: Path, data_verb: DataVerb) -> None:
    """The refusal of the source names the command, and its file is then shown."""
    code, _, err = data_verb("show", str(source), "--task", "point")
    command = f"`qipo-ray data import {source} --to FILE.hdf5`"
    assert code == 2 and command in err
    path = tmp_path / "point-own.hdf5"
    code, out, err = data_verb("import", str(source), "--to", str(path), "--task", "point")
    assert (code, out, err) == (0, "", f"wrote {path}: 50 rows\n")
    code, out, _ = data_verb("show", str(path), "--json")
    facts = json.loads(out)
    assert (code, facts["rows"], facts["episodes"], facts["source"]) == (0, 50, 2, "other")
    assert "source = 'own.npz, imported'" in facts["notes"][0]


def test_mistakes(source: Path, point_file: Path, tmp_path: Path, data_verb: DataVerb) -> None:
    new = tmp_path / "new.hdf5"
    empty = tmp_path / "empty"
    empty.mkdir()
    lines = {
        ("nowhere.npz",): "nowhere.npz does not exist; SOURCE is a Minari data set",
        ("minari:own/x-v0",): "no Minari data set 'own/x-v0'",
        (str(empty),): "holds no episodes; expected a folder of episodes in one format",
        (str(point_file),): f"is HDF5, which is read as it is: --data {point_file}",
        (str(source), "--task", "pont"): "did you mean 'point'?",
        (str(source), "--task", "hopper-medium-v2"): "observations have shape (50, 2); expected",
        (str(source), "--parts", "a"): "--parts chooses from a Minari set's observations",
    }
    for arguments, words in lines.items():
        code, out, err = data_verb("import", *arguments, "--to", str(new))
        assert (code, out) == (2, "") and words in err and err.count("\n") == 1, err
        assert sorted(tmp_path.iterdir()) == sorted([empty, point_file, source])
    code, _, err = data_verb("import", str(source), "--to", str(point_file))
    assert code == 2 and "exists; remove it first, or choose another --to" in err
    code, _, err = data_verb("import", str(source), "--to", str(tmp_path / "no" / "x.hdf5"))
    assert code == 2 and "there is no folder" in err
