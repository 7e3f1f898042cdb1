"""Why a data file cannot be used, and what it is if it is no HDF5 file."""

from __future__ import annotations

from pathlib import Path

_NAME_LENGTH = 60  # characters of a name from the file

_WRITE = (
    "expected HDF5: write its arrays with h5py as observations (N, S), actions (N, A), rewards, "
    "terminals and timeouts (N,)"
)
_UNPACK = "unpack it first"
_IMPORT = "import"  # stands for `import_first`

# By the first bytes.
_STARTS = (
    (b"version https://git-lfs", "a git-lfs pointer, not the data", "run `git lfs pull`"),
    (b"<", "a web page (an error page that was downloaded?), not an HDF5 file", "get it again"),
    (b"\x80", "a Python pickle, which is never opened", _WRITE),
    (b"\x93NUMPY", "one array of NumPy's (.npy)", _WRITE),
    (b"PAR1", "a Parquet table", _IMPORT),
    (b"ARROW", "a table in Arrow's format", _WRITE),
    (b"MATLAB", "a MATLAB file older than version 7.3", _WRITE),
    (b"\x1f\x8b", "gzip-compressed", _UNPACK),
    (b"BZh", "bzip2-compressed", _UNPACK),
    (b"\xfd7zXZ", "xz-compressed", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed", _UNPACK),
)
# By the name, where the bytes say nothing.
_SUFFIXES = {
    ".csv": "a table of text (.csv)",
    ".json": "JSON",
    ".tfrecord": "a TensorFlow file (.tfrecord)",
    ".pt": "a PyTorch file, which is never opened",
}


class Unusable(Exception):
    """Why a file cannot be used, without its name."""


class Damaged(Unusable):
    """What HDF5's library said of a file that it could not read."""


class TookTooLong(Unusable):
    """The file may be sound; looking through it was given up."""


def quoted(name: str) -> str:
    """Return a name out of a file for a message: short, quoted, without control characters."""
    return ascii(name if len(name) <= _NAME_LENGTH else name[: _NAME_LENGTH - 3] + "...")


def import_first(source: Path | str) -> str:
    """Return what to do with data in another format, for a message."""
    return f"`qipo-ray data import {source} --to FILE.hdf5` makes a file of it that can be used"


def described(head: bytes, path: Path) -> str:
    """Return what a file is by its first bytes and its name, and what can be done, in a line."""
    if not head:
        return "is empty (0 bytes)"
    for start, kind, way_out in _STARTS:
        if head.lstrip().lower().startswith(start.lower()):
            return f"is {kind}; {import_first(path) if way_out == _IMPORT else way_out}"
    if path.suffix in _SUFFIXES:
        return f"is {_SUFFIXES[path.suffix]}; {_WRITE}"
    if head.startswith(b"PK\x03\x04"):
        member = head[30 : 30 + int.from_bytes(head[26:28], "little")]
        if member.endswith(b".npy"):
            return f"is an archive of NumPy's arrays (.npz); {import_first(path)}"
        return f"is a zip archive; {_UNPACK}"
    if head[257:262] == b"ustar":
        return f"is a tar archive; {_UNPACK}"
    return f"is not an HDF5 file; {_WRITE}"
