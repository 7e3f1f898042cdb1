"""Finished runs: refused in one line where there is none, or more than one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qipo_ray.deploy.finished_run import best_run, finished_runs, only_run
from qipo_ray.errors import UserError
from qipo_ray.store.records import write_record

Record = dict[str, Any]


def test_the_runs_of_a_folder_come_by_id(
    make_record: Callable[..., Record], tmp_path: Path
) -> None:
    records = [make_record(1.0, seed=seed) for seed in range(3)]
    for record in (*records, make_record(None, seed=3, state="diverged")):
        path = write_record(tmp_path, record)
    ids = sorted(record["id"] for record in records)
    assert [run.record["id"] for run in finished_runs(tmp_path)] == ids
    (run,) = finished_runs(path.with_name(f"{ids[1]}.json"))
    assert (run.root, run.record["id"]) == (tmp_path, ids[1])


@pytest.mark.slow
def test_a_wrong_path_is_one_clear_line(
    train_point: Callable[..., Path], point_run: Path, tmp_path: Path
) -> None:
    def refused(path: Path) -> str:
        with pytest.raises(UserError) as caught:
            only_run(path)
        return str(caught.value)

    two = train_point(tmp_path / "two", seeds="0,1")
    ids = sorted(path.stem for path in (two / "records").iterdir())
    text = refused(two)
    assert f"{two} holds 2 finished runs: {ids[0]} (point seed " in text and ids[1] in text
    assert f"name one as {two / 'records' / 'ID.json'}" in text
    assert "no results folder" in refused(tmp_path / "none")
    assert f"there are {two}" in refused(tmp_path)

    (record,) = (point_run / "records").glob("*.json")
    stray = tmp_path / record.name
    shutil.copy(record, stray)
    assert "does not lie in <results>/records/" in refused(stray)
    lonely = tmp_path / "lonely" / "records" / record.name
    lonely.parent.mkdir(parents=True)
    shutil.copy(record, lonely)
    with pytest.raises(UserError, match="is missing or damaged"):
        only_run(lonely).state()
    lonely.write_text(record.read_text().replace("point", "paint"))
    assert "not a valid record" in refused(lonely)
    onnx = tmp_path / "policy.onnx"
    onnx.write_bytes(b"x")
    assert "is an exported policy: onnxruntime.InferenceSession runs it" in refused(onnx)


def test_a_run_without_a_final_policy_is_named(
    make_record: Callable[..., Record], tmp_path: Path
) -> None:
    path = write_record(tmp_path, make_record(None, state="diverged"))
    with pytest.raises(UserError, match=r"the run diverged \(as asked\)"):
        only_run(path)


def test_the_best_run_of_a_folder_is_that_of_the_tables(
    make_record: Callable[..., Record], tmp_path: Path
) -> None:
    records = [make_record(score, seed=seed) for seed, score in enumerate((10.0, 30.0, 20.0))]
    for record in records:
        write_record(tmp_path, record)
    run = best_run(tmp_path, "maze2d-umaze", "QIPO-OT")
    assert (run.root, run.record["id"]) == (tmp_path, records[1]["id"])
