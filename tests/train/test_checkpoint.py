"""Checkpoints: only a job's own are taken, of this version; another machine's with a warning."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fixtures.tiny_runs import train_jobs

from qipo_ray.study.job import Job, Run
from qipo_ray.train import runner as runner_module
from qipo_ray.train.checkpoint import Checkpoint, CheckpointError, from_bytes, to_bytes
from qipo_ray.train.machine import hardware
from qipo_ray.train.runner import JobRunner


@pytest.fixture
def job(make_run: Callable[..., Run]) -> Job:
    return replace(make_run().jobs[0], evaluations=())


def stopped(root: Path, job: Job, *updates: int) -> Checkpoint:
    """Train a job so far, with a checkpoint at each stop; return the last one."""
    runner = JobRunner(root)
    runner.admit(job)
    for more in updates:
        runner.step(more)
        runner.save(job)
    runner.stop(job.key)
    found = runner.job_store.resume_point(job)
    assert found is not None
    return found[0]


def put(root: Path, job: Job, checkpoint: Checkpoint | bytes, updates: int) -> None:
    """Write a sound file that says it is the job's."""
    store = JobRunner(root).artefacts
    data = checkpoint if isinstance(checkpoint, bytes) else to_bytes(checkpoint)
    attempt = store.claim(job.stage, job.key)
    store.write(job.stage, job.key, updates, data, attempt=attempt)


def end(root: Path, job: Job) -> bytes:
    runner = JobRunner(root)
    runner.admit(job)
    while runner.active:
        runner.step()
    data = runner.artefacts.read(job.stage, job.key, job.length)
    assert data is not None
    return data


def test_bytes_are_equal_and_come_back(job: Job, tmp_path: Path) -> None:
    checkpoint = stopped(tmp_path, job, 30)
    again = from_bytes(to_bytes(checkpoint))
    assert to_bytes(again) == to_bytes(checkpoint)
    assert again.job["seed"] == job.seed and again.machine == hardware("cpu") | {"slots": 1}


def archive(*, compressed: bool) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name in ("data.pkl", "version"):
            file.writestr(f"archive/{name}", bytes(100_000 if compressed else 1))
    return buffer.getvalue()


def saved(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it cannot be read: File is not a zip file"),
        (b"PK" * 500, "it cannot be read: File is not a zip file"),
        (archive(compressed=True), "it cannot be read: 200,000 bytes in an archive of "),
        (archive(compressed=False), "it cannot be read: "),
        (saved({"schema": print}), "it cannot be read: Weights only load failed"),
        (saved([1]), "it holds a list, not a dictionary"),
        (saved({"schema": 2, "state": {}}), "it lacks job, machine"),
        (saved({"schema": 2, "state": {}, "job": 1, "machine": {}}), "its job is int, not dict"),
    ],
)
def test_what_is_no_checkpoint_is_one_line(data: bytes, reason: str) -> None:
    with pytest.raises(CheckpointError) as refused:
        from_bytes(data)
    assert str(refused.value).startswith(reason) and "\n" not in str(refused.value)


@pytest.mark.faults
def test_no_byte_of_a_checkpoint_leads_to_another_error(job: Job, tmp_path: Path) -> None:
    """A stranger's folder has check sums of its own, so any bytes may come."""
    whole = to_bytes(stopped(tmp_path, job, 10))
    draw = random.Random(0)
    refused = 0
    for _ in range(1000):
        data = bytearray(whole)
        for _ in range(draw.choice((1, 4))):
            data[draw.randrange(len(data))] = draw.randrange(256)
        cut = draw.choice((len(data), draw.randrange(len(data))))
        try:
            from_bytes(bytes(data[:cut]))
        except CheckpointError:
            refused += 1
    assert refused > 500


def test_another_seeds_checkpoint_is_refused_by_name(
    make_run: Callable[..., Run], job: Job, tmp_path: Path
) -> None:
    other = replace(make_run(seed=5).jobs[0], evaluations=())
    put(tmp_path / "R", job, stopped(tmp_path / "other", other, 30), 30)
    with pytest.raises(CheckpointError, match=f"{other.key}.*{job.key}.*seed 5 instead of 0"):
        JobRunner(tmp_path / "R").admit(job)


@pytest.mark.slow_after(1)
@pytest.mark.parametrize(
    ("name", "value"),
    [("key", "0" * 16), ("task", "maze2d-umaze"), ("seed", 1), ("data_sha256", "f" * 64)],
)
def test_each_part_of_the_identity_counts(
    job: Job, tmp_path: Path, name: str, value: object
) -> None:
    found = stopped(tmp_path, job, 30)
    put(tmp_path, job, replace(found, job={**found.job, name: value}), 30)
    with pytest.raises(CheckpointError, match=f"another job: {name} {value!r} instead of"):
        JobRunner(tmp_path).admit(job)


def test_other_lengths_and_stages_are_refused(job: Job, tmp_path: Path) -> None:
    found = stopped(tmp_path, job, 30)
    for name, value in {"updates": 20, "stage": "critic"}.items():
        put(tmp_path, job, replace(found, state={**found.state, name: value}), 30)
        with pytest.raises(CheckpointError, match=f"{name} {value!r} instead of"):
            JobRunner(tmp_path).admit(job)


def test_another_normaliser_is_refused(job: Job, tmp_path: Path) -> None:
    """That of other data or other code; in the last bits it may be another machine's."""
    found = stopped(tmp_path, job, 30)
    for factor in (1 + 2**-22, 1.01):
        scale = found.state["normaliser"]["scale"] * factor
        normaliser = {**found.state["normaliser"], "scale": scale}
        put(tmp_path, job, replace(found, state={**found.state, "normaliser": normaliser}), 30)
        if factor < 1.001:
            JobRunner(tmp_path).admit(job)
    with pytest.raises(CheckpointError, match="normaliser.scale is not that of the data"):
        JobRunner(tmp_path).admit(job)


def test_a_network_of_another_size_is_refused(
    make_run: Callable[..., Run], job: Job, tmp_path: Path
) -> None:
    wide = replace(make_run("behaviour.width=32").jobs[0], evaluations=())
    found = stopped(tmp_path / "wide", wide, 30)
    put(tmp_path / "R", job, replace(found, job={**found.job, "key": job.key}), 30)
    with pytest.raises(CheckpointError, match=r"weights.online is torch.float32 \(1, "):
        JobRunner(tmp_path / "R").admit(job)


def test_an_older_schema_is_refused_with_the_way_out(job: Job, tmp_path: Path) -> None:
    """The form of schema 1: a state without its job and its machine."""
    buffer = io.BytesIO()
    torch.save({"schema": 1, **stopped(tmp_path, job, 30).state}, buffer)
    put(tmp_path, job, buffer.getvalue(), 30)
    with pytest.raises(CheckpointError) as refused:
        JobRunner(tmp_path).admit(job)
    folder = JobRunner(tmp_path).artefacts.folder(job.stage, job.key)
    assert str(refused.value) == (
        f"checkpoint 30 in {folder} is refused: it has schema 1; this version reads 2; without "
        "that folder the same command trains it anew"
    )


def test_another_number_of_threads_is_told_and_goes_on(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stopped(tmp_path, job, 30)
    there = hardware("cpu") | {"threads": 8, "torch": "1.0"}
    JobRunner(tmp_path).admit(job)
    assert caplog.text == ""
    monkeypatch.setattr(runner_module, "hardware", lambda device: there)
    runner = JobRunner(tmp_path)
    runner.admit(job)
    assert "goes on from update 30 otherwise than it was saved (threads 1 then, 8 now; torch" in (
        caplog.text
    )
    assert [one["threads"] for one in runner.job_store.machines(job)] == [1, 8]


@pytest.mark.slow
def test_a_stream_of_another_kind_of_device_is_replaced_by_one_of_the_update(
    job: Job, tmp_path: Path
) -> None:
    """A GPU's stream has another form: the job goes on, always in the same way."""
    at_30, at_40 = stopped(tmp_path, job, 30), stopped(tmp_path, job, 10)
    foreign = torch.arange(16, dtype=torch.uint8)
    ends, draws = [], []
    for found in (at_30, at_30, at_40):
        updates, root = found.state["updates"], tmp_path / f"R{len(ends)}"
        put(root, job, replace(found, state={**found.state, "generator": foreign}), updates)
        runner = JobRunner(root)
        runner.admit(job)
        draws.append(runner.engine.state(job.key)["generator"])
        ends.append(end(root, job))
    assert ends[0] == ends[1]
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])


@pytest.mark.faults
def test_a_damaged_newest_checkpoint_costs_the_work_since_the_one_before(
    job: Job, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    unbroken = end(tmp_path / "unbroken", job)
    stopped(tmp_path / "R", job, 30, 40)
    (path,) = (tmp_path / "R").glob("artefacts/*/000000070-*.pt")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    runner = JobRunner(tmp_path / "R")
    (report,) = runner.admit(job)
    assert report.updates == 30 and "000000070" in caplog.text
    assert end(tmp_path / "R", job) == unbroken


@pytest.mark.faults
def test_processes_that_are_all_refused_end_in_one_error(
    make_run: Callable[..., Run], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    buffer = io.BytesIO()
    jobs = []
    torch.save({"schema": 1}, buffer)
    for seed in (0, 1):
        first = make_run(seed=seed).jobs[0]
        jobs.append(first)
        put(tmp_path, first, buffer.getvalue(), 30)
    events = train_jobs(tmp_path, jobs, processes=2)
    assert [event.kind for event in events] == ["failed", "failed"]
    assert all("schema 1" in event.reason for event in events)
    assert "Traceback" not in capfd.readouterr().err
