"""Files that are no HDF5 files: each is named, with what its owner can do."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from qipo_ray.data.load import load
from qipo_ray.errors import UserError

TASK = "hopper-medium-v2"


def npz() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, observations=np.zeros((4, 11)))
    return stream.getvalue()


def npy() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.zeros((4, 11)))
    return stream.getvalue()


def packed(member: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr(member, b"data")
    return stream.getvalue()


def tar() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as file:
        file.addfile(tarfile.TarInfo("data.hdf5"))
    return stream.getvalue()


WRITE = (
    "expected HDF5: write its arrays with h5py as observations (N, S), actions (N, A), rewards, "
)
IMPORT = "`qipo-ray data import "
FILES: dict[str, tuple[bytes, str, str]] = {
    "own.npz": (npz(), "is an archive of NumPy's arrays (.npz)", IMPORT),
    "renamed.hdf5": (npz(), "is an archive of NumPy's arrays (.npz)", IMPORT),
    "observations.npy": (npy(), "is one array of NumPy's (.npy)", WRITE),
    "own.csv": (b"0.1,0.2\n", "is a table of text (.csv)", WRITE),
    "own.parquet": (b"PAR1" + bytes(64) + b"PAR1", "is a Parquet table", IMPORT),
    "own.arrow": (b"ARROW1\0\0", "is a table in Arrow's format", WRITE),
    "own.mat": (b"MATLAB 5.0 MAT-file", "is a MATLAB file older than version 7.3", WRITE),
    "own.json": (b'{"observations": []}', "is JSON", WRITE),
    "own.pkl": (b"\x80\x04\x95 pickle", "is a Python pickle, which is never opened", WRITE),
    "own.pt": (packed("archive/data.pkl"), "is a PyTorch file, which is never opened", WRITE),
    "own.zip": (packed("data.hdf5"), "is a zip archive", "unpack it first"),
    "own.tar": (tar(), "is a tar archive", "unpack it first"),
    "own.hdf5.gz": (b"\x1f\x8b\x08", "is gzip-compressed", "unpack it first"),
    "page.hdf5": (b"<!DOCTYPE html><html>404", "is a web page", "get it again"),
    "page2.hdf5": (b"\n  <HTML>", "is a web page", "not an HDF5 file"),
    "lfs.hdf5": (b"version https://git-lfs.github.com/spec/v1\n", "git-lfs pointer", "lfs pull"),
    "zeros.hdf5": (bytes(4096), "is not an HDF5 file", WRITE),
    "text.hdf5": (b"observations,actions\n", "is not an HDF5 file", WRITE),
    "empty.hdf5": (b"", "is empty (0 bytes)", ""),
}


@pytest.mark.parametrize("name", FILES)
def test_what_it_is_and_what_can_be_done(name: str, tmp_path: Path) -> None:
    content, kind, way_out = FILES[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        load(TASK, path)
    line = str(caught.value)
    assert line.startswith(f"data file {path} for task {TASK} ")
    assert kind in line and way_out in line and "\n" not in line and "D4RL's file" not in line
    assert ("unpack" in line) == (way_out == "unpack it first")


def test_a_folder_is_named_as_one(tmp_path: Path) -> None:
    (tmp_path / "data.zarr").mkdir()
    with pytest.raises(
        UserError, match=r"data.zarr is a folder; wanted for task hopper-medium-v2"
    ):
        load(TASK, tmp_path / "data.zarr")
