"""Read a file in D4RL's HDF5 layout; a file is not trusted before it was checked."""

from __future__ import annotations

import hashlib
import math
import re
from pathlib import Path
from typing import cast, get_args

import h5py
import numpy as np
import numpy.typing as npt

from qipo_ray.data.tasks import Task
from qipo_ray.data.transitions import Dataset, Flags, Floats, Source
from qipo_ray.errors import UserError

_REQUIRED = ("observations", "actions", "rewards", "terminals")
_OPTIONAL = ("timeouts", "next_observations")
_TABLES = ("observations", "actions", "next_observations")

# Real data compresses by less than 20; a bomb declares far more than its file could hold.
_SMALL = 64 * 2**20  # bytes; never refused
_MOST = 32 * 2**30  # bytes
_EXPANSION = 200  # declared bytes per byte of the file

_DAMAGE = (OSError, RuntimeError, KeyError, ValueError, TypeError)  # what h5py raises

_FOREIGN = (
    (b"version https://git-lfs", "is a git-lfs pointer, not the data; run `git lfs pull`"),
    (b"<", "is a web page (an error page that was downloaded?), not an HDF5 file"),
    (b"\x80", "is a Python pickle, which is never opened; wanted is an HDF5 file"),
    (b"\x1f\x8b", "is gzip-compressed; unpack it first"),
    (b"pk\x03\x04", "is a zip archive; unpack it first"),
)


class _Unusable(Exception):
    """Why a file cannot be used, without its name."""


def read(path: str | Path, task: Task, *, obtained: str = "other") -> Dataset:
    """Return the rows of a D4RL-layout file.

    Other members of the file (``infos``, a group or in kitchen a data set; ``metadata``) are never
    opened. Without ``timeouts``, they are counted as D4RL counts them, see ``counted_timeouts``.

    ``source`` is the file's attribute ``source``; else ``"d4rl"`` if the SHA-256 is the
    catalogue's, or if it came from D4RL's cache and the catalogue has no SHA-256; else
    ``"generated"`` if it came from where generated data lies; else ``"other"``.

    Args:
        path: the file.
        task: the task that it must fit.
        obtained: how the file was found, the second part of ``find_dataset``'s answer.

    Raises:
        UserError: one line with the file, the task and the cause: not HDF5, cut short, damaged, a
            key missing, wrong sizes or types, numbers not finite, links to other files, or
            more data declared than the file can hold.
    """
    path = Path(path)
    try:
        size = _checked_head(path)
        digest = _sha256(path)
        with h5py.File(path, "r", locking="best-effort") as file:
            columns = _checked_columns(file, task, size)
            marked = _marked_source(file)
            arrays = {key: _values(key, column) for key, column in columns.items()}
    except _Unusable as error:
        raise UserError(_line(path, task, str(error))) from None
    except _DAMAGE as error:
        raise UserError(_line(path, task, _damage(path, task, error))) from error
    source, notes = _source(marked, obtained, digest, task)
    return _dataset(path, task, source, digest, arrays, notes)


def counted_timeouts(terminals: Flags, horizon: int) -> Flags:
    """Return the timeouts of a file that has none, ``(N,)``, by D4RL's own step count.

    D4RL counts 0, 1, ... and cuts at ``horizon - 1``; after a terminal it goes on at 1 instead of
    0, so that an episode there is cut one row early. Kept, so that rows equal D4RL's.
    """
    timeouts = np.zeros(len(terminals), dtype=np.bool_)
    start, count = 0, 0
    for stop in (*(np.flatnonzero(terminals) + 1), len(terminals)):
        timeouts[start + horizon - 1 - count : stop : horizon] = True
        start, count = stop, 0 if timeouts[stop - 1] else 1
    return timeouts


def _dataset(
    path: Path,
    task: Task,
    source: Source,
    digest: str,
    arrays: dict[str, npt.NDArray],
    notes: list[str],
) -> Dataset:
    if "timeouts" not in arrays:
        arrays["timeouts"] = counted_timeouts(arrays["terminals"], task.horizon)
        notes.append(f"the file has no timeouts: cut every {task.horizon} rows, as D4RL does")
    largest = float(np.abs(arrays["actions"]).max())
    if largest > 1 + 1e-6:
        notes.append(f"actions reach {largest:.2f}, outside [-1, 1]; kept as they are")
    return Dataset(
        task_id=task.id,
        path=path,
        source=source,
        sha256=digest,
        rows=len(arrays["rewards"]),
        observations=arrays["observations"],
        actions=arrays["actions"],
        rewards=arrays["rewards"],
        terminals=arrays["terminals"],
        timeouts=arrays["timeouts"],
        next_observations=arrays.get("next_observations"),
        notes=tuple(notes),
    )


def _checked_head(path: Path) -> int:
    """Return the size in bytes of what looks like an HDF5 file."""
    if not path.is_file():
        raise _Unusable("is not a plain file" if path.exists() else "does not exist")
    with path.open("rb") as file:
        head = file.read(64).lstrip().lower()
    size = path.stat().st_size
    if size == 0:
        raise _Unusable("is empty (0 bytes)")
    if not h5py.is_hdf5(path):
        for start, reason in _FOREIGN:
            if head.startswith(start):
                raise _Unusable(reason)
        raise _Unusable("is not an HDF5 file")
    return size


def _checked_columns(file: h5py.File, task: Task, size: int) -> dict[str, h5py.Dataset]:
    """Return the needed columns by key, checked by what they declare; nothing is read yet."""
    for name in file:
        if not isinstance(file.get(name, getlink=True), h5py.HardLink):
            raise _Unusable(f"{name!r} is a link to somewhere else; links are not followed")
    missing = [key for key in _REQUIRED if key not in file]
    if missing and any(name.startswith("episode_") for name in file):
        raise _Unusable("is in Minari's layout; wanted is D4RL's")
    if missing:
        raise _Unusable(
            f"misses {', '.join(missing)}; it holds {', '.join(list(file)[:8]) or '-'}"
        )
    keys = [*_REQUIRED, *(key for key in _OPTIONAL if key in file)]
    columns = {key: _plain(key, file[key]) for key in keys}
    _check_shapes(columns, task)
    _check_amount(columns, size)
    return columns


def _plain(key: str, column: object) -> h5py.Dataset:
    """Return a data set whose bytes all lie in this file and are numbers."""
    if not isinstance(column, h5py.Dataset):
        raise _Unusable(f"{key!r} is a group; wanted is an array")
    if column.is_virtual or column.external:
        raise _Unusable(f"{key!r} takes its data from other files, which are not followed")
    if column.dtype.kind not in "fiub":
        raise _Unusable(f"{key!r} has type {column.dtype}; wanted are numbers")
    return column


def _check_shapes(columns: dict[str, h5py.Dataset], task: Task) -> None:
    shape = columns["observations"].shape
    rows = shape[0] if shape else 0
    if rows < 2:
        raise _Unusable(f"observations have shape {shape}; wanted are at least two rows")
    state, action = task.sizes or (None, None)
    for key, column in columns.items():
        found = column.shape
        if key not in _TABLES:
            # D4RL takes (N, 1) for (N,) as well.
            if found not in ((rows,), (rows, 1)):
                raise _Unusable(f"{key} have shape {found}; wanted is ({rows},)")
            continue
        wanted = action if key == "actions" else state
        fits = found is not None and len(found) == 2 and found[0] == rows and found[1] > 0
        if not fits or wanted not in (None, found[1]):
            raise _Unusable(f"{key} have shape {found}; wanted is ({rows}, {wanted or 'n'})")
    if "next_observations" in columns and columns["next_observations"].shape != shape:
        raise _Unusable("next_observations and observations differ in shape")


def _check_amount(columns: dict[str, h5py.Dataset], size: int) -> None:
    """Refuse bombs: a file of 10 KB may legally declare 400 GB, or one chunk of 4 GB."""
    allowed = min(max(_SMALL, _EXPANSION * size), _MOST)
    declared = sum(math.prod(c.shape) * c.dtype.itemsize for c in columns.values())
    chunks = [math.prod(c.chunks) * c.dtype.itemsize for c in columns.values() if c.chunks]
    if max(declared, *chunks, 0) > allowed:
        raise _Unusable(
            f"declares {max(declared, *chunks) / 1e9:,.1f} GB of data in {size:,} bytes; "
            f"at most {allowed / 1e9:,.1f} GB are read"
        )


def _values(key: str, column: h5py.Dataset) -> npt.NDArray:
    """Return one column, float32 or for flags bool; tables (N, n), the others (N,)."""
    values = column[...]
    if key not in _TABLES:
        values = values.reshape(-1)
    if key in ("terminals", "timeouts"):
        if values.dtype.kind != "b" and not np.isin(values, (0, 1)).all():
            raise _Unusable(f"{key} hold values other than 0 and 1")
        return values.astype(np.bool_)
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes inf and is refused below
        floats: Floats = np.ascontiguousarray(values, dtype=np.float32)
    finite = np.isfinite(floats)
    if not finite.all():
        row = int(np.argwhere(~finite)[0, 0])
        raise _Unusable(f"{key} hold NaN or infinite numbers, first in row {row}")
    return floats


def _marked_source(file: h5py.File) -> str | None:
    """Return the file's attribute ``source``, if it is a piece of text."""
    if "source" not in file.attrs:
        return None
    mark = file.attrs.get_id("source")
    if mark.shape != () or mark.dtype.kind not in "SO" or not h5py.check_string_dtype(mark.dtype):
        return "other"
    text = file.attrs["source"]
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)


def _source(
    marked: str | None, obtained: str, digest: str, task: Task
) -> tuple[Source, list[str]]:
    if marked is not None:
        return (cast(Source, marked) if marked in get_args(Source) else "other"), []
    if task.sha256 is not None and digest == task.sha256:
        return "d4rl", []
    if obtained == "d4rl" and task.sha256 is not None:
        return "other", [f"SHA-256 differs from the published file's ({task.sha256[:12]}...)"]
    return (cast(Source, obtained) if obtained in get_args(Source) else "other"), []


def _damage(path: Path, task: Task, error: Exception) -> str:
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        return f"cannot be read: {error.strerror}"
    cut = re.search(r"truncated file: eof = (\d+).*stored_eof = (\d+)", str(error), re.DOTALL)
    if cut:
        return f"is cut short: {int(cut[1]):,} of {int(cut[2]):,} bytes; get it again"
    size = path.stat().st_size
    published = path.name == task.filename
    if published and task.bytes is not None and size < task.bytes:
        return f"is cut short: {size:,} of the published {task.bytes:,} bytes; get it again"
    return f"is damaged, get it again ({error})"


def _line(path: Path, task: Task, reason: str) -> str:
    return " ".join(f"data file {path} for task {task.id} {reason}".split())


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()
