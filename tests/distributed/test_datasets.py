"""Workers on one machine read one copy of the data, and none alters another's."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from qipo_ray.data.locate import data_cache
from qipo_ray.distributed import datasets
from qipo_ray.distributed.datasets import local_copy, read_piece
from qipo_ray.errors import UserError
from qipo_ray.study.job import Job, Run
from qipo_ray.train.dataset import data_key

pytestmark = pytest.mark.ray


class Reader:
    """What a worker does with the data of a job."""

    def __init__(self, job: Job) -> None:
        import torch

        from qipo_ray.train.dataset import tensors_of

        self.data = tensors_of(job, torch.device("cpu"))

    def total(self) -> float:
        return float(self.data.states.sum())

    def write(self) -> None:
        for name, tensor in vars(self.data).items():
            if name not in ("normaliser", "reward_scale"):
                tensor.zero_()

    def files(self) -> set[str]:
        """The files that this process maps, by device, inode and name."""
        lines = Path("/proc/self/maps").read_text().splitlines()
        return {" ".join(line.split()[3:]) for line in lines if line.endswith(".npy")}


def test_one_copy_on_a_machine_and_no_write_that_others_see(
    cluster: None, make_run: Callable[..., Run]
) -> None:
    import ray

    job = make_run("data.observations=standard").jobs[0]
    folder = data_cache() / "mapped" / data_key(job)
    actor: Any = ray.remote(Reader)
    readers = [actor.options(num_cpus=1).remote(job) for _ in range(3)]
    first, second, third = ray.get([reader.total.remote() for reader in readers])
    assert first == second == third != 0
    files = ray.get([reader.files.remote() for reader in readers])
    assert files[0] == files[1] == files[2]
    expected = set(folder.glob("*.npy")) - {  # of one number
        folder / "standard.npy",
        folder / "reward_scale.npy",
    }
    assert {Path(file.split()[2]) for file in files[0]} == expected and len(expected) == 10
    ray.get(readers[0].write.remote())
    assert ray.get([reader.total.remote() for reader in readers]) == [0, second, third]
    late = actor.options(num_cpus=0).remote(job)
    assert ray.get(late.total.remote()) == second
    for reader in (*readers, late):
        ray.kill(reader)


@pytest.fixture
def namespace(cluster: None, tmp_path: Path) -> Iterator[str]:
    """A broker's, and nothing else of a service."""
    import ray

    from qipo_ray.distributed.ray_service import _start_broker

    name = f"test-{secrets.token_hex(4)}"
    broker = _start_broker(SimpleNamespace(root=tmp_path / "results", namespace=name))
    yield name
    ray.kill(broker)


class CountingBroker:
    """A broker whose bytes are counted."""

    def __init__(self, broker: Any) -> None:
        self.broker, self.bytes = broker, 0
        self.piece = SimpleNamespace(remote=self._piece)

    def _piece(self, path: str, offset: int) -> Any:
        import ray

        ref = self.broker.piece.remote(path, offset)
        self.bytes += len(ray.get(ref) or b"")
        return ref


def test_a_machine_without_the_file_borrows_it_once(
    namespace: str, make_run: Callable[..., Run], tmp_path: Path, monkeypatch
) -> None:
    job = make_run().jobs[0]
    size = Path(job.data).stat().st_size
    broker = CountingBroker(datasets.broker_of(namespace))
    monkeypatch.setattr(datasets, "broker_of", lambda name: broker)
    cache = tmp_path / "cache"
    monkeypatch.setenv("QIPO_DATA", str(cache))
    with local_copy(namespace, job) as path:
        assert path == Path(job.data)
    monkeypatch.setattr(datasets, "has_file", lambda path: False)  # in this process

    def borrow(_: int) -> Path:
        with local_copy(namespace, job) as path:
            assert path.read_bytes() == Path(job.data).read_bytes()
        return path

    with ThreadPoolExecutor(4) as pool:  # as so many workers, who wait for the first
        (copy,) = set(pool.map(borrow, range(4)))
    assert copy == cache / "files" / f"{job.data_sha256}.hdf5" and broker.bytes == size
    copy.write_bytes(copy.read_bytes()[:-1])  # a damaged one is fetched anew
    borrow(0)
    assert broker.bytes == 2 * size
    long_ago = time.time() - 8 * 24 * 3600
    os.utime(copy, (long_ago, long_ago))
    gone = replace(job, data=str(tmp_path / "gone.hdf5"), data_sha256="0" * 64)
    words = "neither on this machine nor on the driver's"
    with pytest.raises(UserError, match=words), local_copy(namespace, gone):
        pass
    changed = replace(job, data_sha256="1" * 64)
    with pytest.raises(UserError, match="other SHA-256"), local_copy(namespace, changed):
        pass
    assert [path.suffix for path in (cache / "files").iterdir()] == [".lock"] * 3


def test_pieces_make_up_the_file(tmp_path: Path, monkeypatch) -> None:
    import asyncio

    monkeypatch.setattr(datasets, "PIECE", 1000)
    path = tmp_path / "file"
    path.write_bytes(bytes(range(250)) * 9)
    pieces = [asyncio.run(read_piece(str(path), offset)) for offset in (0, 1000, 2000, 2250)]
    assert list(map(len, pieces)) == [1000, 1000, 250, 0]
    assert b"".join(pieces) == path.read_bytes()
    assert asyncio.run(read_piece(str(tmp_path), 0)) is None
