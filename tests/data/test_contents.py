"""Random files of every layout: each array comes as h5py reads it, or is refused by name."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from qipo_ray.data.contents import Blocks, Facts, Unusable, contents, indices
from qipo_ray.data.inspector import inspected

NAMES = ("rewards", "episode_0/actions")
TYPES = (
    "<f4", ">f4", "<f8", ">f8", "<f2", "|i1", "|u1", "<i2", ">i2", "<i4", ">u4", "<i8", ">i8",
    "<u8", "|b1",
)  # fmt: skip
FILTERS: tuple[dict[str, object], ...] = (
    {}, {"shuffle": True}, {"compression": "gzip"}, {"compression": "gzip", "shuffle": True},
    {"compression": "lzf"}, {"fletcher32": True},
    {"compression": "gzip", "shuffle": True, "fletcher32": True},
)  # fmt: skip


def random_array(rng: np.random.Generator) -> np.ndarray:
    """Return numbers of any bits, in one to three dimensions."""
    shape = tuple(int(length) for length in rng.integers(1, 30, size=rng.integers(1, 4)))
    dtype = np.dtype(str(rng.choice(TYPES)))
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    return np.frombuffer(rng.bytes(int(np.prod(shape)) * dtype.itemsize), dtype).reshape(shape)


def add(file: h5py.File, name: str, values: np.ndarray, rng: np.random.Generator) -> bool:
    """Write an array in a random layout; return whether it may be refused."""
    small = "compact" if values.nbytes < 60_000 else "contiguous"  # a header holds 64 KiB
    layout = rng.choice(["contiguous", small, "chunked", "chunked"])
    if layout == "chunked":
        chunks = tuple(int(rng.integers(1, length + 1)) for length in values.shape)
        filters = FILTERS[rng.integers(len(FILTERS))]
        room = tuple(None for _ in chunks) if rng.random() < 0.3 else None
        file.create_dataset(name, data=values, chunks=chunks, maxshape=room, **filters)
        return "fletcher32" in filters or filters.get("compression") == "lzf"
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_layout(h5py.h5d.COMPACT if layout == "compact" else h5py.h5d.CONTIGUOUS)
    kind = h5py.h5t.py_create(values.dtype, logical=True)
    space = h5py.h5s.create_simple(values.shape)
    group = file.require_group(str(Path("/", name).parent))
    key = Path(name).name.encode()
    h5py.h5d.create(group.id, key, kind, space, settings).write(h5py.h5s.ALL, h5py.h5s.ALL, values)
    return False


def array(facts: Facts, blocks: Blocks, name: str) -> np.ndarray:
    entry = facts["arrays"][name]
    values = np.zeros(entry["shape"], entry["dtype"])
    for index, data in zip(indices(entry["shape"], entry["block"]), blocks(name), strict=True):
        values[index] = np.frombuffer(data, entry["dtype"]).reshape(values[index].shape)
    return values


@pytest.mark.slow
def test_arrays_are_h5pys_own(tmp_path: Path) -> None:
    rng, path, read, refused = np.random.default_rng(0), tmp_path / "data.hdf5", 0, 0
    for number in range(100):
        settings = {
            "libver": str(rng.choice(["earliest", "latest"])),
            "userblock_size": int(rng.choice([0, 0, 512, 4096])),
        }
        with h5py.File(path, "w", **settings) as file:
            may_refuse = [add(file, name, random_array(rng), rng) for name in NAMES]
        opening = inspected(path) if number % 4 else contents(path, published=True)
        try:
            with opening as (facts, blocks), h5py.File(path) as file:
                for name in NAMES:
                    values = array(facts, blocks, name)
                    assert values.dtype == file[name].dtype
                    assert values.tobytes() == file[name][...].tobytes()
                    read += 1
        except Unusable as error:
            refused += 1
            assert any(may_refuse) and "are packed by HDF5's filters" in str(error)
    assert read > 80 and refused > 10
