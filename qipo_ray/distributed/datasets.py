"""A job's data file on a machine that lacks it: a temporary copy of the driver's file.

The broker runs on the driver's machine and returns pieces of the file. A worker keeps the copy
only until it has prepared the data, and checks its SHA-256 as of any file.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qipo_ray.data.locate import data_cache
from qipo_ray.distributed.client import broker_of
from qipo_ray.errors import UserError
from qipo_ray.study.job import Job

PIECE = 8 * 2**20  # bytes


def has_file(path: Path) -> bool:
    """Return whether this machine has the file."""
    return path.is_file()


@contextmanager
def local_copy(namespace: str, job: Job) -> Iterator[Path]:
    """Yield the job's data file, or a copy that is deleted afterwards.

    ``UserError`` if the driver's machine does not have it either.
    """
    import ray

    path = Path(job.data)
    if has_file(path):
        yield path
        return
    broker, offset = broker_of(namespace), 0
    data_cache().mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=data_cache(), suffix=".copy") as file:
        while True:
            piece = ray.get(broker.piece.remote(job.data, offset))
            if piece is None:
                raise UserError(
                    f"data file {path} for task {job.task} does not exist, neither on this "
                    "machine nor on the driver's"
                )
            if not piece:
                break
            file.write(piece)
            offset += len(piece)
        file.flush()
        yield Path(file.name)


async def read_piece(path: str, offset: int) -> bytes | None:
    """Return at most ``PIECE`` bytes of a file from ``offset``; None if there is no such file."""

    def read() -> bytes | None:
        if not has_file(Path(path)):
            return None
        with open(path, "rb") as file:
            file.seek(offset)
            return file.read(PIECE)

    return await asyncio.to_thread(read)
