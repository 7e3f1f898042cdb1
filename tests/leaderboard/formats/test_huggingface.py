from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qipo_ray.leaderboard.formats.huggingface import results_files
from qipo_ray.leaderboard.rows import collect
from qipo_ray.store.files import write_bytes

Build = Callable[..., dict[str, Any]]
HOPPER, WALKER = "hopper-medium-v2", "walker2d-medium-v2"


def read_like_the_template(folder: Path) -> dict[str, dict[str, float]]:
    """Return the shown score by model and task, as the template's reader finds them."""
    shown: dict[str, dict[str, float]] = {}
    for root, _, files in os.walk(folder):
        if not files or any(not name.endswith(".json") for name in files):
            continue
        files.sort(key=lambda name: name.removesuffix(".json").removeprefix("results_")[:-7])
        for name in files:
            data = json.loads((Path(root) / name).read_text())
            organisation, model = data["config"]["model_name"].split("/", 1)
            assert data["config"]["model_dtype"] == "torch.float32"
            assert data["config"]["model_sha"] == ""  # for readers: the newest
            assert all(type(v) is float for r in data["results"].values() for v in r.values())
            results = {task: 100 * found["normalised"] for task, found in data["results"].items()}
            shown.setdefault(f"{organisation}_{model}", {}).update(results)
    return shown


def write(folder: Path, records: list[dict[str, Any]]) -> None:
    rows, _ = collect(records)
    for name, text in results_files(rows).items():
        write_bytes(folder / name, text.encode())


def test_read_back_as_a_leaderboard_does(tmp_path: Path, make_record: Build) -> None:
    records = [
        make_record(last, seed=seed, task=task, name="search, best", beta=beta, source="d4rl")
        for task, beta, lasts in ((HOPPER, 1.0, (40.0, 60.0)), (WALKER, 2.0, (70.0, 90.0)))
        for seed, last in enumerate(lasts)
    ]
    write(tmp_path, records)
    shown = read_like_the_template(tmp_path)
    (model,) = [name for name in shown if "search-best" in name]
    assert model.startswith("qipo_ray_QIPO-OT-search-best-d4rl-")
    assert shown[model] == {HOPPER: pytest.approx(50.0), WALKER: pytest.approx(80.0)}
    assert {name.split("-")[0] for name in shown} == {"qipo_ray_QIPO", "qipo_ray_behaviour"}


@pytest.mark.parametrize(
    "other",
    [
        {"source": "d4rl"},
        {"episodes": 10},
        {"clip": False},
        {"env_seeds": "1..100"},
        {"best_of": 4},
        {"sampler": "heun"},
        {"steps": 20},
        {"sha256": "b" * 64, "source": "d4rl"},
    ],
)
def test_sources_and_protocols_are_different_models(
    tmp_path: Path, make_record: Build, other: dict[str, Any]
) -> None:
    one, two = make_record(10.0, cloning=None), make_record(90.0, cloning=None, seed=1, **other)
    write(tmp_path, [one, two])
    shown = read_like_the_template(tmp_path)
    assert sorted(found["maze2d-umaze"] for found in shown.values()) == [10.0, 90.0]


def test_a_later_result_of_a_model_replaces_an_earlier_one(
    tmp_path: Path, make_record: Build
) -> None:
    early, late = make_record(10.0, cloning=None), make_record(90.0, cloning=None, seed=1)
    late["provenance"]["ended"] = "2026-01-02T00:00:00Z"
    write(tmp_path, [early])
    write(tmp_path, [early, late])
    assert len(list(tmp_path.rglob("results_*.json"))) == 2
    assert list(read_like_the_template(tmp_path).values()) == [{"maze2d-umaze": 50.0}]


def test_equal_records_give_equal_files(make_record: Build) -> None:
    records = [make_record(10.0, seed=seed) for seed in range(3)]
    one, other = collect(records)[0], collect(records[::-1])[0]
    assert results_files(one) == results_files(other)


def test_names_are_safe_as_paths(make_record: Build) -> None:
    rows, _ = collect([make_record(10.0, name="../../etc/x y<z>")])
    for name in results_files(rows):
        assert ".." not in name and name.count("/") == 3
        assert set(name) <= set(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./"
        )
