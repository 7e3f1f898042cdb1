"""``qipo-ray data check`` and ``data references``, and own tasks where data are named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from qipo_ray.study.task_file import read_task

DataVerb = Callable[..., tuple[int, str, str]]


def test_a_task_that_fits(reach: Path, data_verb: DataVerb) -> None:
    code, out, _ = data_verb("check", str(reach))
    assert code == 0 and out.endswith(f"task {read_task(reach).id}: nothing is wrong\n")
    verdicts = {line.split()[1]: line.split()[0] for line in out.splitlines()[:-1]}
    assert {"sizes": "ok", "reset": "ok", "replay": "ok", "rewards": "ok"}.items() <= (
        verdicts.items()
    )
    code, out, _ = data_verb("check", str(reach), "--json")
    assert code == 0 and json.loads(out)["wrong"] == 0


def test_one_that_does_not_fit(pendulum: Path, data_verb: DataVerb) -> None:
    pendulum.write_text(pendulum.read_text().replace("[-2, 2]", "[-1, 1]").replace("200", "150"))
    code, out, _ = data_verb("check", str(pendulum))
    assert code == 1 and out.endswith("WRONG: bounds, horizon, environment\n")
    assert "actions: those of Pendulum-v1 are [-2, 2], not [-1, 1]" in out


def test_without_data_or_environment(pendulum: Path, data_verb: DataVerb) -> None:
    text = pendulum.read_text()
    pendulum.write_text(text.replace("data: pendulum.hdf5\n", ""))
    code, out, _ = data_verb("check", str(pendulum))
    assert code == 0 and "sizes" not in out and "a random one has 200 steps" in out
    assert data_verb("references", str(pendulum))[::2] == (
        2, f"error: {pendulum}: no data: add `data:` to the file, or --data FILE\n"
    )  # fmt: skip
    pendulum.write_text(text.replace("Pendulum-v1", "none"))
    code, out, _ = data_verb("check", str(pendulum))
    assert code == 0 and "note  environment  nothing is rolled out" in out
    assert data_verb("references", str(pendulum))[0] == 2


def test_references_are_lines_to_paste(
    pendulum: Path, pendulum_data: Path, data_verb: DataVerb
) -> None:
    code, out, _ = data_verb("references", str(pendulum), "--episodes", "3")
    low, high = yaml.safe_load(out)["references"]
    again = yaml.safe_load(data_verb("references", str(pendulum), "--episodes", "3")[1])
    assert code == 0 and again == {"references": [low, high]} and -2000 < low < high < 0
    pendulum.write_text(
        "".join(out if line.startswith("references") else line
                for line in pendulum.read_text().splitlines(keepends=True))
    )  # fmt: skip
    assert read_task(pendulum).ref_max == high
    shown = json.loads(data_verb("show", str(pendulum), "--json")[1])
    assert shown["return_max"] == pytest.approx(high, rel=1e-4)


def test_data_verbs_take_a_task_file(
    pendulum: Path, pendulum_data: Path, data_verb: DataVerb
) -> None:
    own = read_task(pendulum).id
    by_task = json.loads(data_verb("show", str(pendulum), "--json")[1])
    by_file = json.loads(
        data_verb("show", str(pendulum_data), "--task", str(pendulum), "--json")[1]
    )
    assert by_task["task"] == by_file["task"] == own
    assert by_task["sha256"] == by_file["sha256"]
    code, out, _ = data_verb("verify", str(pendulum_data), "--task", str(pendulum))
    assert (code, f"task {own}" in out) == (0, True)
    code, _, err = data_verb("check", "point")
    assert (code, err) == (
        2,
        "error: 'point' is no task file; expected one such as my_task.yaml\n",
    )
    code, _, err = data_verb("show", str(pendulum), "--task", "point")
    assert code == 2 and "is a task" in err


def test_data_are_imported_for_a_task_file(
    pendulum: Path, tmp_path: Path, data_verb: DataVerb
) -> None:
    draws, ends = np.random.default_rng(0), np.arange(50) % 25 == 24
    columns = {
        "observations": draws.normal(size=(50, 3)),
        "actions": draws.uniform(-2, 2, (50, 1)),
        "rewards": draws.normal(size=50),
        "terminals": np.zeros(50, bool),
        "timeouts": ends,
    }
    np.savez(tmp_path / "rows.npz", **columns)
    source, path = str(tmp_path / "rows.npz"), str(tmp_path / "rows.hdf5")
    arguments = ("import", source, "--to", path, "--task", str(pendulum))
    assert data_verb(*arguments) == (0, "", f"wrote {path}: 50 rows\n")
    code, out, _ = data_verb("check", str(pendulum), "--data", path)
    assert code == 0 and "recorded actions reach" in out  # in the environment's unit, as it was
    pendulum.write_text(pendulum.read_text().replace("[-2, 2]", "[[-2, -2], [2, 2]]"))
    Path(path).unlink()
    assert data_verb(*arguments)[0] == 2 and not Path(path).exists()
