"""The files of a program: as bytes in a checkpoint, and its log."""

from __future__ import annotations

import ctypes
import io
import json
import signal
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from qipo_ray.errors import Failure

MOST_BYTES = 1 << 30  # of all files
SET_DEATH_SIGNAL = 1  # of Linux's prctl


def packed(folder: Path) -> Tensor:
    """Return all files of a folder as the bytes of a zip file: equal files give equal bytes."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    size = sum(path.stat().st_size for path in files)
    if not files or size > MOST_BYTES:
        raise Failure(
            f"a program must leave files in QIPO_OUTPUT, at most {MOST_BYTES >> 20} MiB; {folder} "
            f"has {len(files)} with {size >> 20} MiB"
        )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in files:
            name = path.relative_to(folder).as_posix()
            archive.writestr(zipfile.ZipInfo(name), path.read_bytes())  # of one time, 1980
    return torch.from_numpy(np.frombuffer(buffer.getvalue(), np.uint8).copy())


def unpack(files: Tensor, folder: Path) -> None:
    """Write the files that ``packed`` took into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    if len(files):
        with zipfile.ZipFile(io.BytesIO(files.numpy().tobytes())) as archive:
            archive.extractall(folder)  # names that lead out of the folder are cut


def last_line(log: Path) -> str:
    """Return the last line that a program said, or that it said nothing."""
    lines = log.read_text(errors="replace").strip().splitlines() if log.is_file() else []
    return f"{lines[-1]:.200}" if lines else "it said nothing"


def told_metrics(log: Path, start: int) -> list[tuple[int, dict[str, float]]]:
    """Return the numbers of JSON lines ``{"step": 100, "loss": 0.1}`` behind a place in a log.

    They are told by update, each once, the last time that it was told.
    """
    with log.open("rb") as file:
        file.seek(start)
        lines = file.read().decode(errors="replace").splitlines()
    rows: dict[int, dict[str, float]] = {}
    for line in lines:
        if not line.lstrip().startswith("{"):
            continue
        with suppress(ValueError, OverflowError, RecursionError):
            content = json.loads(line)
            values = {key: float(value) for key, value in content.items() if _is_number(value)}
            step = values.pop("step", 0.0)
            values.pop("updates", None)  # another name of the step
            if step.is_integer() and values:
                rows[int(step)] = values
    return sorted(rows.items())


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def die_with_parent() -> None:
    """Let the process that calls this end when the one that started it does, where it can be."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(SET_DEATH_SIGNAL, signal.SIGKILL)
