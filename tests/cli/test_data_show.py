"""``qipo-ray data show``: facts and pictures of a data file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

DataVerb = Callable[..., tuple[int, str, str]]


def test_show_draws_returns(point_file: Path, tmp_path: Path, data_verb: DataVerb) -> None:
    svg = tmp_path / "picture.svg"
    code, out, err = data_verb("show", str(point_file), "--picture", str(svg))
    assert (code, err) == (0, f"wrote {svg}\n")
    assert "episodes by return" in out and out.count("█") > 4
    assert svg.read_text().startswith("<svg")
    code, _, err = data_verb("show", str(point_file), "--picture", str(svg))
    assert (code, "exists" in err) == (2, True)
    facts = json.loads(data_verb("show", str(point_file), "--json")[1])
    assert sum(facts["histogram"]["counts"]) == 4


def test_show_a_file(point_file: Path, data_verb: DataVerb) -> None:
    code, out, _ = data_verb("show", str(point_file), "--json")
    facts = json.loads(out)
    assert code == 0
    assert (facts["task"], facts["source"], facts["rows"]) == ("point", "generated", 100)
    assert (facts["episodes"], facts["observation_size"], facts["action_size"]) == (4, 2, 2)
    assert facts["return_min"] <= facts["return_mean"] <= facts["return_max"]
    code, out, _ = data_verb("show", str(point_file))
    assert code == 0 and "generated" in out


@pytest.mark.parametrize("verb", ["show", "verify"])
def test_a_minari_set_by_its_id(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data_verb: DataVerb
) -> None:
    """As ``train --data`` takes it; an id need not have a slash."""
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    path = tmp_path / "own-v0" / "data" / "main_data.hdf5"
    path.parent.mkdir(parents=True)
    with h5py.File(path, "w") as file:
        for episode in range(2):
            group = file.create_group(f"episode_{episode}")
            group["observations"] = np.zeros((6, 2))
            group["actions"] = np.zeros((5, 2))
            group["rewards"] = np.full((5, 1), float(episode))
            group["terminations"] = np.zeros(5, bool)
            group["truncations"] = np.arange(5) == 4
    for name in ("minari:own-v0", str(tmp_path / "own-v0")):
        code, out, err = data_verb(verb, name, "--task", "point", "--json")
        assert (code in (0, 1), err) == (True, "")
        document = json.loads(out)
        assert (document["source"], document["task"]) == ("minari", "point")
    code, _, err = data_verb(verb, "minari:own-v0")
    assert code == 2 and "add --task" in err
    code, _, err = data_verb(verb, "minari:own-v1", "--task", "point")
    assert code == 2 and "did you mean 'own-v0'?" in err


def test_show_needs_a_task(point_file: Path, tmp_path: Path, data_verb: DataVerb) -> None:
    path = point_file.rename(tmp_path / "mine.hdf5")
    code, _, err = data_verb("show", str(path))
    assert (code, "add --task" in err) == (2, True)
    code, out, _ = data_verb("show", str(path), "--task", "point", "--json")
    assert (code, json.loads(out)["rows"]) == (0, 100)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "hopper-medum-v2"], "did you mean 'hopper-medium-v2'?"),
        (["show", "hopper-medium-v2"], "does not exist"),
        (["show", "missing-point.hdf5", "--task", "point"], "does not exist"),
        (["show", "point", "--task", "point"], "is no file"),
    ],
)
def test_mistakes(arguments: list[str], words: str, data_verb: DataVerb) -> None:
    code, out, err = data_verb(*arguments)
    assert (code, out) == (2, "")
    assert words in err and err.count("\n") == 1
