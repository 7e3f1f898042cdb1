"""Workers on one machine read one copy of the data, and none alters another's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qipo_ray.data.locate import data_cache
from qipo_ray.train.dataset import data_key
from qipo_ray.train.job import Job, Run

pytestmark = pytest.mark.ray


class Reader:
    """What a worker does with the data of a job."""

    def __init__(self, job: Job) -> None:
        import torch

        from qipo_ray.train.dataset import tensors_of

        self.data = tensors_of(job, torch.device("cpu"))

    def total(self) -> float:
        return float(self.data.observations.sum())

    def write(self) -> None:
        for name, tensor in vars(self.data).items():
            if name != "normaliser":
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
    place = data_cache() / "mapped" / data_key(job)
    actor: Any = ray.remote(Reader)
    readers = [actor.options(num_cpus=1).remote(job) for _ in range(3)]
    first, second, third = ray.get([reader.total.remote() for reader in readers])
    assert first == second == third != 0
    files = ray.get([reader.files.remote() for reader in readers])
    assert files[0] == files[1] == files[2]
    wanted = {path for path in place.glob("*.npy") if path.stem != "standard"}  # one bool
    assert {Path(file.split()[2]) for file in files[0]} == wanted and len(wanted) == 9
    ray.get(readers[0].write.remote())
    assert ray.get([reader.total.remote() for reader in readers]) == [0, second, third]
    late = actor.options(num_cpus=0).remote(job)
    assert ray.get(late.total.remote()) == second
    for reader in (*readers, late):
        ray.kill(reader)
