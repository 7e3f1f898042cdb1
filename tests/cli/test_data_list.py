"""``qipo-ray data list``: every task, one family, and the page."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from qipo_ray.data.tasks import GENERATORS, task_ids

DataVerb = Callable[..., tuple[int, str, str]]


def test_list_names_every_task(
    data_verb: DataVerb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for cache in ("QIPO_DATA", "D4RL_DATASET_DIR"):  # other tests fill the session's
        monkeypatch.setenv(cache, str(tmp_path / cache))
    code, out, _ = data_verb("list", "--json")
    rows = json.loads(out)
    assert code == 0
    assert tuple(row["id"] for row in rows) == task_ids()
    assert all(row["path"] is None for row in rows)


def test_list_has_tasks_of_installed_packages_marked(data_verb: DataVerb, robots: Path) -> None:
    """One that a package names and has not is a remark, and hides no other."""
    code, out, err = data_verb("list", "--family", "own", "--json")
    (row,) = json.loads(out)
    assert code == 0 and row["id"].startswith("pendulum@")
    assert row["file"] == str(robots / "arm.yaml")
    assert [f"task '{name}' is said to be" in err for name in ("gone", "none")] == [True, True]
    lines = [line.split() for line in data_verb("list", "--family", "own")[1].splitlines()]
    assert ["arm", "(installed)", "Pendulum-v1"] in [cells[:3] for cells in lines]


def test_list_by_family(data_verb: DataVerb) -> None:
    code, out, _ = data_verb("list", "--family", "maze2d")
    assert code == 0
    assert "maze2d-umaze-v1" in out and "hopper" not in out
    code, _, err = data_verb("list", "--family", "maze2")
    assert (code, "did you mean 'maze2d'" in err) == (2, True)


def test_list_says_which_data_can_be_had(data_verb: DataVerb) -> None:
    _, out, _ = data_verb("list")
    lines = [cells for line in out.splitlines() if len(cells := line.split()) > 2]
    kinds = {cells[0]: cells[-2] for cells in lines}
    for name, kind in {
        "ant-expert": "none", "hopper-expert": "generated", "maze2d-umaze": "generated",
        "maze2d-umaze-v1": "?", "pen-human": "none",
    }.items():  # fmt: skip
        assert kinds[name] == kind
    rows = json.loads(data_verb("list", "--json")[1])
    assert {row["id"] for row in rows if row["has_generator"]} == set(GENERATORS)


def test_the_page_of_all_tasks(data_verb: DataVerb) -> None:
    code, out, _ = data_verb("list", "--markdown")
    assert code == 0 and out.startswith("# Tasks\n") and "| kitchen-mixed-v0 |" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["list", "--markdown", "--json"], "whole page"),
    ],
)
def test_mistakes(arguments: list[str], words: str, data_verb: DataVerb) -> None:
    code, out, err = data_verb(*arguments)
    assert (code, out) == (2, "")
    assert words in err and err.count("\n") == 1
