"""The data of a job as tensors, prepared once on each machine for all workers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from functools import cache
from pathlib import Path

import numpy.typing as npt
import torch

from qipo_ray.agent import Tensors
from qipo_ray.data.load import load
from qipo_ray.data.mapped import mapped
from qipo_ray.data.transitions import transitions
from qipo_ray.errors import UserError
from qipo_ray.store.bucket import is_uri
from qipo_ray.study.job import Job
from qipo_ray.train.bucket_data import from_bucket

OpenData = Callable[[Job], AbstractContextManager[Path]]  # lends a job's data file


@contextmanager
def on_disk(job: Job) -> Iterator[Path]:
    """Yield a job's data file where this machine is said to have it, or its copy of a bucket's."""
    path = Path(job.data)
    yield from_bucket(path, job.data_sha256) if is_uri(path) else path


def data_key(job: Job) -> str:
    """Return the hash of all that a job's tensors depend on: file, task, settings, code."""
    config = job.config
    parts = [job.data_sha256, job.task, asdict(config.data), config.critic.discount, _code()]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def tensors_of(job: Job, device: torch.device, open_data: OpenData = on_disk) -> Tensors:
    """Return the job's data on a device; on the CPU, mapped from this machine's one copy.

    The file is read by the first process that asks. ``UserError`` if it is not the one that the
    run was planned with.
    """
    return Tensors.from_arrays(mapped(data_key(job), lambda: _prepared(job, open_data)), device)


def _prepared(job: Job, open_data: OpenData) -> Mapping[str, npt.NDArray]:
    config = job.config
    with open_data(job) as path:
        dataset = load(job.task_facts, path)
    if dataset.sha256 != job.data_sha256:
        raise UserError(f"{job.data} changed since the run was planned: other SHA-256")
    rows = transitions(dataset, job.task_facts, config.data.reward, config.critic.discount)
    del dataset  # as large as the rows
    return Tensors.from_transitions(rows, config.data.observations, torch.device("cpu")).arrays()


@cache
def _code() -> str:
    """Return the hash of the code that reads and prepares data, so that none of it is outlived."""
    package = Path(__file__).parents[1]
    tables = (package / "data").glob("*.json")
    code = [*(package / "data").rglob("*.py"), package / "agent" / "tensors.py", Path(__file__)]
    digest = hashlib.sha256()
    for file in sorted([*tables, *code]):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()
