"""Where a run was trained: noted beside each job, gathered in the record."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from fixtures.tiny_runs import train_jobs

from qipo_ray.data.transitions import Dataset
from qipo_ray.store.record_schema import RECORD
from qipo_ray.study.job import Run
from qipo_ray.train import runner
from qipo_ray.train.job_store import JobStore
from qipo_ray.train.machine import cpu_seconds, hardware
from qipo_ray.train.run_record import RunContext, build_record
from qipo_ray.train.runner import JobRunner

CONTEXT = RunContext("tiny", None, "single", None, "x", "2026-01-01T00:00:00+00:00")


@pytest.fixture
def run(make_run: Callable[..., Run]) -> Run:
    return make_run(
        "behaviour.updates=100", "critic.updates=100", "policy.renew_every=100", "policy.rounds=1"
    )


def test_cpu_seconds_are_those_of_programs_that_ran_too() -> None:
    """By what the program itself says of its time, however fast the machine is."""
    own, before = time.process_time(), cpu_seconds()
    code = "import time; sum(range(6_000_000)); print(time.process_time())"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    spent = time.process_time() - own
    assert cpu_seconds() - before >= spent + 0.9 * float(done.stdout)


def train(run: Run, root: Path) -> None:
    train_jobs(root, run.jobs)


def record_of(run: Run, data: Dataset, root: Path) -> dict[str, Any]:
    record = build_record(run, data, JobStore(root), CONTEXT)
    RECORD.check(record, "record")
    return record


@pytest.mark.slow
def test_device_and_threads_are_in_the_record(point: Dataset, run: Run, tmp_path: Path) -> None:
    train(run, tmp_path)
    record = record_of(run, point, tmp_path)
    assert record["provenance"]["hardware"] == hardware("cpu")
    assert hardware("cpu")["threads"] == torch.get_num_threads() == 1
    assert record["pack"] == {"size": 1, "composition": [run.jobs[-1].key]}


@pytest.mark.slow
def test_other_machines_that_had_a_share_are_named(
    point: Dataset, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behaviour and critic on a GPU in packs of up to 8, the policy here, alone."""
    there = {"machine": "x86_64", "cpu": "Intel", "device": "cuda", "accelerator": "H100"}
    there["threads"] = 4
    with monkeypatch.context() as patch:
        patch.setattr(runner, "hardware", lambda device: there)
        gpu = JobRunner(tmp_path, slots=8)
        for job in run.jobs[:2]:
            gpu.admit(job)
            while gpu.active:
                gpu.step()
    train(run, tmp_path)
    record = record_of(run, point, tmp_path)
    assert record["provenance"]["hardware"] == hardware("cpu") | {"also": [there]}
    assert record["pack"] == {"size": 8, "composition": None}


def test_a_job_that_goes_on_elsewhere_was_on_both(run: Run, tmp_path: Path) -> None:
    results, job = JobStore(tmp_path), run.jobs[0]
    one, other = {"cpu": "one"}, {"cpu": "other"}
    for machine in (one, one, other, other, one):
        results.trains_on(job, machine)
    assert results.machines(job) == [one, other, one]


@pytest.mark.slow
def test_artefacts_that_do_not_say_are_unknown(point: Dataset, run: Run, tmp_path: Path) -> None:
    train(run, tmp_path)
    for note in tmp_path.glob("artefacts/*/note-trained-on.json"):
        note.unlink()
    assert record_of(run, point, tmp_path)["provenance"]["hardware"] == "unknown"
