"""The best of what was reported: never what a search saw, nor a lucky seed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qipo_ray.config import from_dict, load_config
from qipo_ray.errors import UserError
from qipo_ray.leaderboard.best import best_file, best_files, best_records
from qipo_ray.store.records import read_records

Record = dict[str, Any]
MakeRecord = Callable[..., Record]


def test_the_best_configuration_has_the_highest_mean(make_record: MakeRecord) -> None:
    """A lucky seed of a worse one, what a search saw, and what diverged do not count."""
    scores = {20.0: (50.0, 60.0), 5.0: (20.0, 70.0)}  # by beta: means of 55 and 45
    runs = {
        (beta, seed): make_record(score, seed=seed, beta=beta)
        for beta, both in scores.items()
        for seed, score in enumerate(both)
    }
    diffusion = make_record(40.0, path="vp")
    others = [
        make_record(99.0, seed=9, beta=1.0, purpose="search"),
        make_record(None, seed=8, beta=1.0, state="diverged"),
        diffusion,
    ]
    records = [*runs.values(), *others]
    assert best_records(records, "R") == [runs[20.0, 1], runs[20.0, 0]]
    assert best_records(records, "R", method="QIPO-Diff") == [diffusion]
    wanted = r"R has no reported run of the method 'QIPO-Dif' \(did you mean 'QIPO-Diff'\?\)"
    with pytest.raises(UserError, match=wanted):
        best_records(records, "R", method="QIPO-Dif")
    records.append(point := make_record(1.0, task="point"))
    with pytest.raises(UserError, match="R holds runs of maze2d-umaze, point; name a task"):
        best_records(records, "R")
    assert best_records(records, "R", "point") == [point]
    with pytest.raises(UserError, match="R holds no reported run"):
        best_records(others[:2], "R")


def test_no_mean_is_over_two_data_sets(make_record: MakeRecord) -> None:
    """Else a good score on one file would lift the same configuration on another."""
    good, bad = (make_record(x, sha256=y * 64) for x, y in ((90.0, "a"), (10.0, "b")))
    even = make_record(60.0, beta=9.0)
    assert best_records([good, bad, even], "R") == [good]


def test_its_file_is_read_as_its_configuration(point_run: Path, tmp_path: Path) -> None:
    records = read_records(point_run)
    ((name, text),) = best_files(records)
    assert name == "point-QIPO-OT.yaml" and text == best_file(records)
    (tmp_path / name).write_text(text)
    assert load_config(tmp_path / name) == from_dict(records[0]["config"], "record")
    title, *_ = text.splitlines()
    score = records[0]["final"]["last"]["normalised"]
    expected = f"# QIPO-OT on point: {score:.1f} on generated data, seeds 0; record "
    assert title == expected + records[0]["id"]


def test_what_this_version_cannot_read_has_no_file(make_record: MakeRecord) -> None:
    assert list(best_files([make_record(10.0)])) == []
