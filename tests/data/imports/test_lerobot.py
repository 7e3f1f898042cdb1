"""LeRobot's tables: written by LeRobot where it is installed, else as it writes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from qipo_ray.errors import UserError

from .conftest import ACTIONS, STATES, episode

STEPS = (4, 5, 6)
LAYOUTS = {
    "v2.1": [f"episode_{number:06d}" for number in range(3)],
    "v3.0": ["file-000"],
    "v3.0 of two files": ["file-000", "file-001"],
}


def frames() -> list[dict[str, Any]]:
    """Three episodes; the second is cut by a time limit, and has no `next.done`."""
    held = [episode(steps, extra=0, seed=n, ends=n != 1) for n, steps in enumerate(STEPS)]
    return [
        {
            "observation.state": e["observations"],
            "action": e["actions"],
            "next.reward": e["rewards"].astype(np.float32),
            "next.done": e["terminations"],
            "frame_index": np.arange(steps),
            "episode_index": np.full(steps, n),
        }
        for n, (e, steps) in enumerate(zip(held, STEPS, strict=True))
    ]


def lists(values: np.ndarray) -> pa.Array:
    if values.ndim == 1:
        return pa.array(values)
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])


def write(
    folder: Path, layout: str, held: list[dict[str, Any]], without: str = "", **info: Any
) -> Path:
    names = LAYOUTS[layout]
    data = folder / "data" / "chunk-000"
    data.mkdir(parents=True)
    groups = [held[n :: len(names)] if len(names) == 3 else [] for n in range(len(names))]
    if len(names) < 3:  # whole episodes in one file after the other
        groups = [held] if len(names) == 1 else [held[:2], held[2:]]
    for name, group in zip(names, groups, strict=True):
        table = {
            key: lists(np.concatenate([columns[key] for columns in group]))
            for key in group[0]
            if key != without
        }
        pq.write_table(pa.table(table), data / f"{name}.parquet")
    (folder / "meta").mkdir()
    facts = {"codebase_version": layout[:4], "total_frames": sum(STEPS), "features": {}, **info}
    (folder / "meta" / "info.json").write_text(json.dumps(facts))
    return folder


def check(data: dict[str, Any], held: list[dict[str, Any]]) -> None:
    states = [columns["observation.state"] for columns in held]
    for name, expected in {
        "observations": states,
        "next_observations": [np.r_[rows[1:], rows[-1:]] for rows in states],
        "actions": [columns["action"] for columns in held],
        "rewards": [columns["next.reward"] for columns in held],
    }.items():
        np.testing.assert_array_equal(data[name], np.concatenate(expected), err_msg=name)
    assert np.flatnonzero(data["terminals"]).tolist() == [3, 14]
    assert np.flatnonzero(data["timeouts"]).tolist() == [8]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_episodes_of_every_layout(layout: str, tmp_path: Path, imported) -> None:
    pictures = {"observation.images.top": {"dtype": "video"}, "observation.state": {}}
    data = imported(write(tmp_path / "own", layout, frames(), features=pictures))
    check(data, frames())
    assert data["origin"] == f"LeRobot's own ({layout[:4]}), imported"
    assert data["notes"] == [
        "not read: 'observation.images.top'",
        "next.done is read as LeRobot does it: nothing follows; time limits, too",
    ]


def test_a_set_that_lerobot_wrote(tmp_path: Path, imported, monkeypatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    reason = "LeRobot is not installed: NOT TESTED ON A SET THAT IT WROTE"
    module = pytest.importorskip("lerobot.datasets.lerobot_dataset", reason=reason)
    kinds = {"observation.state": ("float32", STATES), "action": ("float32", ACTIONS),
             "next.reward": ("float32", 1), "next.done": ("bool", 1)}  # fmt: skip
    features = {
        key: {"dtype": kind, "shape": (width,), "names": None}
        for key, (kind, width) in kinds.items()
    }
    root = tmp_path / "own"
    made = module.LeRobotDataset.create(
        "own/own", fps=10, features=features, root=root, use_videos=False
    )
    for columns in frames():
        for row in range(len(columns["action"])):
            frame = {key: np.atleast_1d(columns[key][row]) for key in kinds}
            made.add_frame(frame | {"task": "reach"})
        made.save_episode()
    made.finalize()
    check(imported(root), frames())


def test_truncations_are_time_limits(tmp_path: Path, imported) -> None:
    held = frames()
    for columns in held:
        columns["next.truncated"] = columns["next.done"]
    data = imported(write(tmp_path / "own", "v3.0", held))
    assert not data["terminals"].any()
    assert np.flatnonzero(data["timeouts"]).tolist() == [3, 8, 14]


def test_without_done(tmp_path: Path, imported) -> None:
    data = imported(write(tmp_path / "own", "v2.1", frames(), "next.done"))
    assert not data["terminals"].any() and data["timeouts"].sum() == 3
    assert data["notes"] == ["it has no next.done: every episode ends by a time limit"]


def swapped(held: list[dict[str, Any]]) -> list[dict[str, Any]]:
    held[1] = {key: values[::-1] for key, values in held[1].items()}
    return held


def shorter(held: list[dict[str, Any]]) -> list[dict[str, Any]]:
    held[2] = {key: values[:-1] for key, values in held[2].items()}
    return held


def twice(held: list[dict[str, Any]]) -> list[dict[str, Any]]:
    held[2]["episode_index"] = np.zeros(STEPS[2], int)
    return held


Change = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]
FAULTS: dict[str, tuple[Change, str, str]] = {
    "frames in another order": (swapped, "", "episode 1 misses frames"),
    "frames that are gone": (shorter, "", "has 14 frames; its meta/info.json says 15"),
    "an episode that comes twice": (twice, "", "episode 0 misses frames"),
    "no rewards": (list, "next.reward", "misses next.reward; its tables hold"),
    "no states": (list, "observation.state", "misses observation.state; its tables hold"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_named(name: str, tmp_path: Path, imported) -> None:
    change, without, words = FAULTS[name]
    path = write(tmp_path / "own", "v3.0", change(frames()), without)
    with pytest.raises(UserError, match=words):
        imported(path)


def test_an_older_layout(tmp_path: Path, imported) -> None:
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta" / "info.json").write_text('{"codebase_version": "v1.6"}')
    with pytest.raises(UserError, match="its layout is v1.6, expected v2 or v3"):
        imported(tmp_path)
