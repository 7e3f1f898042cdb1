"""A job's data file on a machine that lacks it: one copy of the driver's, for all its workers.

The broker runs on the driver's machine and returns pieces of the file; ``train/bucket_data.py``
keeps the copy. A file in a bucket each machine fetches from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

from qipo_ray.distributed.client import broker_of
from qipo_ray.errors import UserError
from qipo_ray.store.bucket import is_uri
from qipo_ray.study.job import Job
from qipo_ray.train.bucket_data import copy_of
from qipo_ray.train.dataset import on_disk

PIECE = 8 * 2**20  # bytes


def has_file(path: Path) -> bool:
    """Return whether this machine has the file."""
    return path.is_file()


@contextmanager
def local_copy(namespace: str, job: Job) -> Iterator[Path]:
    """Yield the job's data file, or this machine's copy of the driver's or the bucket's.

    ``UserError`` if the driver's machine does not have it either, or another than the job's.
    """
    path = Path(job.data)
    if is_uri(path) or has_file(path):
        with on_disk(job) as file:
            yield file
        return
    yield copy_of(job.data_sha256, job.data, partial(_borrow, namespace, job))


def _borrow(namespace: str, job: Job, file: IO[bytes]) -> None:
    """Write the driver's file into one of this machine."""
    import ray

    broker, offset = broker_of(namespace), 0
    while piece := ray.get(broker.piece.remote(job.data, offset)):
        file.write(piece)
        offset += len(piece)
    if piece is None:
        raise UserError(
            f"data file {job.data} for task {job.task} does not exist, neither on "
            "this machine nor on the driver's"
        )


async def read_piece(path: str, offset: int) -> bytes | None:
    """Return at most ``PIECE`` bytes of a file from ``offset``; None if there is no such file."""

    def read() -> bytes | None:
        if not has_file(Path(path)):
            return None
        with open(path, "rb") as file:
            file.seek(offset)
            return file.read(PIECE)

    return await asyncio.to_thread(read)
