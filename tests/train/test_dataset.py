"""A job's data: those that its run was planned with, or none."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fixtures.damage import spoilt
from fixtures.fault_counts import CountFaults, scaled

from qipo_ray.data.load import load
from qipo_ray.errors import UserError
from qipo_ray.evaluation.generate import generate
from qipo_ray.study.job import Run
from qipo_ray.train.dataset import tensors_of


@pytest.mark.faults
def test_no_damaged_data_file_is_trained_on(
    make_run: Callable[..., Run],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    count_faults: CountFaults,
) -> None:
    """What a run was planned with is known by its hash, also where the file can still be read."""
    monkeypatch.setenv("QIPO_DATA", str(tmp_path / "cache"))
    path = generate("point", tmp_path / "point.hdf5", rows=400)
    other = generate("point", tmp_path / "other.hdf5", rows=500).read_bytes()
    whole, dice, readable = path.read_bytes(), random.Random(4), 0
    job = replace(make_run().jobs[0], data=str(path), data_sha256=load("point", path).sha256)
    for _ in range(scaled(1000)):
        path.write_bytes(spoilt(whole, other, dice))
        with pytest.raises(UserError) as refused:
            tensors_of(job, torch.device("cpu"))
        assert str(refused.value).isprintable()
        readable += "changed since the run was planned" in str(refused.value)
    count_faults("damaged data file", scaled(1000))
    assert readable > scaled(100)  # the hash alone tells these
    path.write_bytes(whole)
    assert tensors_of(job, torch.device("cpu")).rows > 300
