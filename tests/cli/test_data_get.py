from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from qipo_ray.data import download
from qipo_ray.data.locate import d4rl_cache
from qipo_ray.data.tasks import get_task

DataVerb = Callable[..., tuple[int, str, str]]

MAZE, HOPPER = "maze2d-umaze-v1", "hopper-medium-v2"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("D4RL_DATASET_DIR", str(tmp_path / "datasets"))


def test_plan_says_what_to_fetch_and_where_to_put_it(data_verb: DataVerb) -> None:
    code, out, err = data_verb("plan", HOPPER, MAZE, HOPPER)
    task = get_task(HOPPER)
    assert code == 0
    for words in (task.url, "152,756,557 bytes", task.sha256, d4rl_cache() / str(task.filename)):
        assert out.count(str(words)) == 1
    assert "size    not known" in out and "sha256  not known" in out
    assert err == "2 files: 1 of 152.8 MB, and 1 of unknown size\n"
    assert not d4rl_cache().exists()  # nothing was fetched


def test_plan_as_json_by_a_pattern(data_verb: DataVerb) -> None:
    code, out, err = data_verb("plan", "hopper-*-v2", "--json")
    rows = json.loads(out)
    assert (code, err) == (0, "")
    assert {row["task_id"] for row in rows} >= {HOPPER, "hopper-expert-v2"}
    assert all(Path(row["target"]).parent == d4rl_cache() for row in rows)
    assert set(rows[0]) == {"task_id", "url", "target", "bytes", "sha256"}


@pytest.mark.parametrize(
    "names",
    [
        ["cube-single-play-v0"],
        ["cube-single-play-singletask-task4-v0"],
        ["cube-single-play-singletask-v0", "cube-single-play-*-v0", "cube-single-play-v0"],
    ],
)
def test_files_of_ogbench_for_training_and_validation(
    names: list[str], data_verb: DataVerb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each once, by the name of the data set or by that of a task; the host is its package's."""
    monkeypatch.setenv("HOME", str(tmp_path))
    code, out, _ = data_verb("plan", *names, "--json")
    rows = json.loads(out)
    host, folder = (
        "https://rail.eecs.berkeley.edu/datasets/ogbench",
        tmp_path / ".ogbench" / "data",
    )
    files = ["cube-single-play-v0.npz", "cube-single-play-v0-val.npz"]
    assert code == 0 and {row["task_id"] for row in rows} == {"cube-single-play-v0"}
    assert [row["url"] for row in rows] == [f"{host}/{file}" for file in files]
    assert [row["target"] for row in rows] == [str(folder / file) for file in files]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["plan", "hopper-medum-v2"], "did you mean 'hopper-medium-v2'?"),
        (["plan", "hoper-*"], "no task of D4RL or OGBench fits the pattern 'hoper-*'"),
        (["get", "cube-singl-play-v0"], "did you mean 'cube-single-play-"),
        (["get", "point"], "task point has generated data, nothing to download"),
        (["get", "maze2d-umaze"], "the published task is maze2d-umaze-v1"),
        (["get", HOPPER, "--max-minutes", "0"], "--max-minutes"),
        (["get"], "TASK"),
    ],
)
def test_mistakes(arguments: list[str], words: str, data_verb: DataVerb) -> None:
    code, out, err = data_verb(*arguments)
    assert (code, out) == (2, "") and words in err and err.count("\n") == 1


def test_get_prints_the_path_and_hands_on_its_options(data_verb: DataVerb, monkeypatch) -> None:
    calls = []

    def fetch(entry, **settings):
        calls.append((entry.task_id, settings["trust"], settings["limits"]))
        settings["waiting"]()
        settings["report"](10, 100)
        settings["report"](100, None)
        return entry.target, "abc"

    monkeypatch.setattr(download, "fetch", fetch)
    code, out, err = data_verb("get", MAZE, "--trust", "--max-mb", "5", "--max-minutes", "2")
    assert code == 0 and out == f"{d4rl_cache() / str(get_task(MAZE).filename)}\n"
    assert "waiting" in err and "SHA-256 abc, trusted, not published" in err
    assert calls == [(MAZE, True, download.DownloadLimits(bytes=5_000_000, seconds=120.0))]


def test_get_checks_a_file_that_is_there(data_verb: DataVerb) -> None:
    path = d4rl_cache() / str(get_task(HOPPER).filename)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not that file")
    code, out, err = data_verb("get", HOPPER)
    assert (code, out) == (2, "") and "move it away first" in err
