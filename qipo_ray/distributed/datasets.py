"""A job's data file on a machine that lacks it: one copy of the driver's, for all its workers.

The broker runs on the driver's machine and returns pieces of the file. The copy lies in the data
cache under its SHA-256, with which it is compared at each use, and goes when it was long unused.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qipo_ray.data.locate import data_cache
from qipo_ray.data.mapped import locked, remove_old
from qipo_ray.distributed.client import broker_of
from qipo_ray.errors import UserError
from qipo_ray.store.files import sha256_file
from qipo_ray.study.job import Job

PIECE = 8 * 2**20  # bytes
FOLDER = "files"  # of the data cache


def has_file(path: Path) -> bool:
    """Return whether this machine has the file."""
    return path.is_file()


@contextmanager
def local_copy(namespace: str, job: Job) -> Iterator[Path]:
    """Yield the job's data file, or this machine's copy of the driver's.

    ``UserError`` if the driver's machine does not have it either, or another than the job's.
    """
    path = Path(job.data)
    if has_file(path):
        yield path
        return
    folder = data_cache() / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / f"{job.data_sha256}{path.suffix}"
    with locked(copy):
        if not copy.is_file() or sha256_file(copy) != job.data_sha256:
            remove_old(folder)
            _borrow(namespace, job, copy)
        os.utime(copy)
    yield copy


def _borrow(namespace: str, job: Job, copy: Path) -> None:
    """Put the driver's file in its place, whole or not at all."""
    import ray

    broker, offset = broker_of(namespace), 0
    with tempfile.NamedTemporaryFile(dir=copy.parent, suffix=".part", delete=False) as file:
        part = Path(file.name)
        try:
            while True:
                piece = ray.get(broker.piece.remote(job.data, offset))
                if piece is None:
                    raise UserError(
                        f"data file {job.data} for task {job.task} does not exist, neither on "
                        "this machine nor on the driver's"
                    )
                if not piece:
                    break
                file.write(piece)
                offset += len(piece)
            file.flush()
            if sha256_file(part) != job.data_sha256:
                raise UserError(f"{job.data} changed since the run was planned: other SHA-256")
            os.replace(part, copy)
        finally:
            part.unlink(missing_ok=True)


async def read_piece(path: str, offset: int) -> bytes | None:
    """Return at most ``PIECE`` bytes of a file from ``offset``; None if there is no such file."""

    def read() -> bytes | None:
        if not has_file(Path(path)):
            return None
        with open(path, "rb") as file:
            file.seek(offset)
            return file.read(PIECE)

    return await asyncio.to_thread(read)
