"""Data files in a bucket, on a real S3 server: each machine fetches them once, held to a hash."""

from __future__ import annotations

import fcntl
import hashlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fixtures.s3_server import BUCKET, S3Server

from qipo_ray.cli.doctor import check_data
from qipo_ray.cli.main import main
from qipo_ray.data import mapped as prepared
from qipo_ray.data.load import load
from qipo_ray.data.tasks import get_task
from qipo_ray.distributed.datasets import local_copy
from qipo_ray.errors import UserError
from qipo_ray.evaluation.generate import generate
from qipo_ray.store import bucket, mirror
from qipo_ray.store.bucket import scratch_of
from qipo_ray.store.files import sha256_file
from qipo_ray.store.records import read_records
from qipo_ray.study.job import Run
from qipo_ray.train.bucket_data import copy_of, from_bucket, newest_from_bucket

pytestmark = pytest.mark.slow  # the server takes a second or two

URI = Path(f"s3://{BUCKET}/data/point.hdf5")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A data file, and another of the same task."""
    folder = tmp_path_factory.mktemp("data")
    return (
        generate("point", folder / "a.hdf5", rows=2000),
        generate("point", folder / "b.hdf5", rows=1000),
    )


@pytest.fixture
def fetched(
    s3_server: S3Server, files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[int]]:
    """The sizes of the pieces that came from the bucket, where the first file is."""
    pieces: list[int] = []
    piece = mirror._piece

    def counted(at: bucket.Address, start: int, end: int) -> bytes:
        pieces.append(end - start)
        return piece(at, start, end)

    monkeypatch.setattr(mirror, "_piece", counted)
    monkeypatch.setattr(mirror, "PIECE", 20_000)
    monkeypatch.setenv("QIPO_DATA", str(tmp_path / "cache"))
    bucket.write(scratch_of(URI), files[0].read_bytes())
    yield pieces


def test_the_driver_fetches_each_version_once(
    fetched: list[int], files: tuple[Path, Path]
) -> None:
    sizes = [file.stat().st_size for file in files]
    for _ in range(2):
        copy = newest_from_bucket(URI)
        assert copy.read_bytes() == files[0].read_bytes() and sum(fetched) == sizes[0]
    assert len(fetched) > 2  # in pieces
    copy.write_bytes(b"damaged")
    assert sha256_file(newest_from_bucket(URI)) == sha256_file(files[0])
    assert sum(fetched) == 2 * sizes[0]
    bucket.write(scratch_of(URI), files[1].read_bytes())
    assert newest_from_bucket(URI).read_bytes() == files[1].read_bytes()
    assert sum(fetched) == 2 * sizes[0] + sizes[1]
    next(copy.parent.glob("*.json")).write_text("[]")  # what was noted is lost
    assert newest_from_bucket(URI).read_bytes() == files[1].read_bytes()
    assert sum(fetched) == 2 * sum(sizes)


def test_a_file_that_is_replaced_while_it_is_fetched_is_fetched_again(
    fetched: list[int], files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (file.read_bytes() for file in files)
    piece = mirror._piece

    def replacing(at: bucket.Address, start: int, end: int) -> bytes:
        if len(fetched) == 1:  # the first piece is that of the first file
            bucket.write(scratch_of(URI), second.ljust(len(first), b"\0"))
        return piece(at, start, end)

    monkeypatch.setattr(mirror, "_piece", replacing)
    assert newest_from_bucket(URI).read_bytes() == second.ljust(len(first), b"\0")


def test_a_file_that_is_gone_since_it_was_planned_is_one_line(
    fetched: list[int], files: tuple[Path, Path]
) -> None:
    path = scratch_of(URI)
    at = bucket.address(path)
    at.client.delete(at.key)
    with pytest.raises(UserError, match="point.hdf5: the bucket has no such object$"):
        from_bucket(URI, sha256_file(files[0]))


def test_a_fetch_by_another_process_is_waited_for_while_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QIPO_DATA", str(tmp_path))
    folder, data, minutes = tmp_path / "files", b"0123456789", iter(range(0, 99, 5))
    sha256 = hashlib.sha256(data).hexdigest()
    copy, part = folder / f"{sha256}.npz", folder / "other.part"
    folder.mkdir()
    lock = (folder / f"{copy.name}.lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)

    def goes_on(_: float) -> None:
        part.write_bytes(data[: part.stat().st_size + 1 if part.exists() else 1])
        if part.read_bytes() == data:
            part.rename(copy)
            lock.close()

    clock = SimpleNamespace(time=time.time, monotonic=lambda: 60 * next(minutes), sleep=goes_on)
    monkeypatch.setattr(prepared, "time", clock)
    assert copy_of(sha256, "a.npz", lambda _: pytest.fail("fetched twice")) == copy


def test_the_workers_of_a_machine_fetch_it_once_and_ask_no_driver(
    fetched: list[int], files: tuple[Path, Path], make_run: Callable[..., Run]
) -> None:
    sha256 = load("point", files[0]).sha256
    job = replace(make_run().jobs[0], data=f"s3://{BUCKET}/data/point.hdf5", data_sha256=sha256)

    def borrow(_: int) -> bytes:
        with local_copy("there is no broker", job) as path:
            return path.read_bytes()

    with ThreadPoolExecutor(4) as pool:  # as so many workers, who wait for the first
        assert set(pool.map(borrow, range(4))) == {files[0].read_bytes()}
    assert sum(fetched) == files[0].stat().st_size
    bucket.write(scratch_of(URI), files[1].read_bytes())
    borrow(0)  # this machine has the one that the run was planned with
    other = replace(job, data_sha256="0" * 64)
    words = "point.hdf5 changed since .* other SHA-256"
    with pytest.raises(UserError, match=words), local_copy("there is no broker", other):
        pass


def test_a_run_on_data_of_a_bucket_is_the_run_on_the_file(
    fetched: list[int],
    files: tuple[Path, Path],
    train_point: Callable[..., Path],
    tmp_path: Path,
) -> None:
    scores = []
    for name, data in (("uri", f"s3://{BUCKET}/data/point.hdf5"), ("file", str(files[0]))):
        root = train_point(tmp_path / name, data=data)
        (record,) = read_records(root)
        assert record["data"]["sha256"] == sha256_file(files[0])
        scores.append(record["scores"])
    assert scores[0] == scores[1]
    assert sum(fetched) == files[0].stat().st_size


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (
            f"s3://{BUCKET}/gone.hdf5",
            "data file s3://bucket/gone.hdf5: the bucket has no such obj",
        ),
        ("s3://nowhere/x.hdf5", "data file s3://nowhere/x.hdf5: "),
        ("s3://ID:KEY@bucket/x.hdf5", "s3://...@bucket holds a name or a password"),
        ("s3://", "s3://: expected s3://BUCKET/FOLDER"),
    ],
)
def test_what_a_bucket_does_not_have_is_one_line(
    fetched: list[int], data: str, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "R"
    assert main(["train", "--task", "point", "--data", data, "--results", str(results)]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert line in said and "KEY" not in said
    assert not results.exists() and fetched == []


def test_doctor_asks_the_bucket_and_fetches_nothing(fetched: list[int]) -> None:
    given = {"point": URI}
    spec: Any = SimpleNamespace(tasks=["point"], task_facts=get_task, data=given)
    (check,) = check_data(spec)
    assert (check.state, check.message) == ("ok", f"s3://{BUCKET}/data/point.hdf5")
    given["point"] = URI.with_name("gone.hdf5")
    (check,) = check_data(spec)
    assert check.state == "fail" and "gone.hdf5: the bucket has no such object" in check.message
    assert fetched == []


def test_a_verb_that_reads_files_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "show", f"s3://{BUCKET}/data/point.hdf5"]) == 2
    assert "bucket" in capsys.readouterr().err
