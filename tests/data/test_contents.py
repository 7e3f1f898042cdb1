"""Random files of every layout: each array comes as h5py reads it, or is refused by name."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from qipo_ray.data.contents import EPISODE_KEYS, Blocks, Facts, contents
from qipo_ray.data.faults import Unusable
from qipo_ray.data.inspector import inspected
from qipo_ray.data.stored_chunks import LARGEST_BLOCK

TYPES = (
    "<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "|i1", "|u1", "<i2", ">i2", "<u2", "<i4", ">u4",
    "<i8", ">i8", "<u8", "|b1",
)  # fmt: skip
FILTERS: tuple[dict[str, object], ...] = (
    {}, {"shuffle": True}, {"compression": "gzip"}, {"compression": "gzip", "shuffle": True},
    {"compression": "lzf"}, {"compression": "lzf", "shuffle": True}, {"fletcher32": True},
    {"compression": "gzip", "shuffle": True, "fletcher32": True},
    {"compression": "lzf", "fletcher32": True}, {"scaleoffset": 0},
)  # fmt: skip
RARE = 0.04  # the share of arrays with a fault of each kind


def numbers(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return numbers of any bits, of few bits, or all alike."""
    dtype = np.dtype(str(rng.choice(TYPES)))
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    kind = rng.integers(3)
    if kind == 0:
        data = rng.bytes(int(np.prod(shape)) * dtype.itemsize)
        return np.frombuffer(data, dtype).reshape(shape)
    return rng.integers(0, 1 if kind == 1 else 9, shape).astype(dtype)


def add(file: h5py.File, name: str, values: np.ndarray, rng: np.random.Generator) -> str | None:
    """Write an array in a random layout; return the words of its refusal, None if it is read."""
    fault = rng.random() / RARE
    if fault < 1:
        file.create_dataset(name, values.shape, values.dtype, fillvalue=1)
        return "never written"
    if fault < 2:
        here = [(file.filename, 0, values.nbytes)]
        file.create_dataset(name, values.shape, values.dtype, external=here)
        return "from other files"
    if fault < 3:
        layout = h5py.VirtualLayout(shape=values.shape, dtype=values.dtype)
        layout[...] = h5py.VirtualSource(file.filename, "x", shape=values.shape)
        file.create_virtual_dataset(name, layout)
        return "from other files"
    small = "compact" if values.nbytes < 60_000 else "contiguous"  # a header holds 64 KiB
    storage = rng.choice(["contiguous", small, "chunked", "chunked", "chunked"])
    if storage == "chunked":
        return add_chunked(file, name, values, rng)
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_layout(h5py.h5d.COMPACT if storage == "compact" else h5py.h5d.CONTIGUOUS)
    kind = h5py.h5t.py_create(values.dtype, logical=True)
    space = h5py.h5s.create_simple(values.shape)
    group = file.require_group(str(Path("/", name).parent))
    key = Path(name).name.encode()
    h5py.h5d.create(group.id, key, kind, space, settings).write(h5py.h5s.ALL, h5py.h5s.ALL, values)
    return None


def add_chunked(
    file: h5py.File, name: str, values: np.ndarray, rng: np.random.Generator
) -> str | None:
    filters = FILTERS[rng.integers(len(FILTERS))]
    if "scaleoffset" in filters and values.dtype.kind not in "iu":  # lossless for these alone
        filters = {}
    chunks = tuple(int(rng.integers(1, length + 1)) for length in values.shape)
    settings = {"chunks": chunks, "fillvalue": values.dtype.type(1), **filters}
    if rng.random() < 0.3:
        settings["maxshape"] = tuple(None for _ in chunks)
    array = file.create_dataset(name, values.shape, values.dtype, **settings)
    written = rng.integers(1, len(values) + 1) if rng.random() < RARE else len(values)
    array[:written] = values[:written]
    if "scaleoffset" in filters:
        return "packed by HDF5's filters 'scaleoffset'"
    whole = -(-written // chunks[0]) == -(-len(values) // chunks[0])
    return None if whole else "never written"


def write_d4rl(file: h5py.File, rng: np.random.Generator) -> list[str | None]:
    shapes = [tuple(rng.integers(1, 30, size=rng.integers(1, 4)).tolist()) for _ in range(3)]
    names = ("observations", "rewards", "truncations")
    return [
        add(file, name, numbers(rng, shape), rng)
        for name, shape in zip(names, shapes, strict=True)
    ]


def write_minari(file: h5py.File, rng: np.random.Generator) -> list[str | None]:
    rows = {key: tuple(rng.integers(1, 5, size=rng.integers(0, 3))) for key in EPISODE_KEYS}
    return [
        add(file, f"episode_{i}/{key}", numbers(rng, (int(rng.integers(1, 20)), *row)), rng)
        for i in range(3)
        for key, row in rows.items()
    ]


def array(facts: Facts, blocks: Blocks, name: str) -> np.ndarray:
    entry = facts["arrays"][name]
    return np.frombuffer(b"".join(blocks(name)), entry["dtype"]).reshape(entry["shape"])


def truth(file: h5py.File, name: str, lengths: list[int] | None) -> np.ndarray:
    if lengths is None:
        return file[name][...]
    parts = [file[f"episode_{i}/{name}"][...] for i in range(len(lengths))]
    assert [len(part) for part in parts] == lengths
    return np.concatenate(parts)


@pytest.mark.parametrize("count", [40, pytest.param(500, marks=pytest.mark.slow)])
def test_arrays_are_h5pys_own(count: int, tmp_path: Path) -> None:
    rng, path, read = np.random.default_rng(count), tmp_path / "data.hdf5", 0
    for number in range(count):
        settings = {
            "libver": str(rng.choice(["earliest", "latest"])),
            "userblock_size": int(rng.choice([0, 0, 512, 4096])),
        }
        with h5py.File(path, "w", **settings) as file:
            reasons = (write_minari if number % 4 == 3 else write_d4rl)(file, rng)
        opening = inspected(path) if number % 3 else contents(path, published=True)
        try:
            with opening as (facts, blocks), h5py.File(path) as file:
                assert not any(reasons)
                for name, entry in facts["arrays"].items():
                    values = array(facts, blocks, name)
                    expected = truth(file, name, entry["lengths"])
                    assert values.dtype == expected.dtype.newbyteorder("=")
                    np.testing.assert_array_equal(values, expected)
                    if entry["lengths"] is None:  # a NaN to the bit
                        assert values.tobytes() == expected.astype(values.dtype).tobytes()
                    read += 1
        except Unusable as error:
            assert any(reason in str(error) for reason in reasons if reason), str(error)
    assert read > count


@pytest.mark.slow
@pytest.mark.parametrize("filters", [FILTERS[2], FILTERS[4], FILTERS[7]])
def test_the_largest_chunk_is_read(filters: dict[str, object], tmp_path: Path) -> None:
    """In the memory that the process has, though HDF5 takes more than twice the chunk for it."""
    numbers = np.random.default_rng(0).integers(0, 2**24, LARGEST_BLOCK // 4, dtype=np.int32)
    settings = filters | ({"compression_opts": 1} if filters.get("compression") == "gzip" else {})
    path = tmp_path / "data.hdf5"
    with h5py.File(path, "w") as file:
        file.create_dataset("rewards", data=numbers, chunks=numbers.shape, **settings)
    with inspected(path) as (facts, blocks):
        np.testing.assert_array_equal(array(facts, blocks, "rewards"), numbers)
