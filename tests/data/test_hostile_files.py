"""Files made to harm: each is refused in one line, soon, and with little memory."""

from __future__ import annotations

import math
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import h5py
import numpy as np
import pytest
from fixtures.fault_counts import CountFaults

from qipo_ray.data.load import load
from qipo_ray.errors import UserError

TASK = "hopper-medium-v2"
ROWS = 2000
SHAPES = {"observations": (ROWS, 11), "actions": (ROWS, 3), "rewards": (ROWS,)}

Make = Callable[[Path], None]
MAKERS: dict[str, tuple[Make, str]] = {}


def hostile(message: str, name: str = "") -> Callable[[Make], Make]:
    """Register a maker of a file and the words that its refusal must hold."""

    def register(make: Make) -> Make:
        MAKERS[name or make.__name__.replace("_", " ")] = (make, message)
        return make

    return register


@cache
def bomb() -> bytes:
    """Return 400 MiB of zeros, compressed."""
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(2**20)) for _ in range(400)) + packer.flush()


def sound(path: Path, leave_out: str = "", **settings) -> None:
    """Write a file with nothing wrong, except for a column that is left out."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for key, shape in SHAPES.items():
            if key != leave_out:
                values = rng.uniform(-1, 1, shape).astype(np.float32)
                file.create_dataset(key, data=values, **settings)
        for key in ("terminals", "timeouts"):
            if key != leave_out:
                file.create_dataset(key, data=np.arange(ROWS) % 500 == 499, **settings)


def changed(path: Path, change: Callable[[h5py.File], None], leave_out: str = "rewards") -> None:
    """Write a sound file, then change it."""
    sound(path, leave_out)
    with h5py.File(path, "a") as file:
        change(file)


# Leading to other files.


def _neighbour(path: Path) -> Path:
    neighbour = path.with_name("neighbour.hdf5")
    with h5py.File(neighbour, "w") as file:
        file["rewards"] = np.full(ROWS, 42.0, np.float32)
    return neighbour


for _name, _link in {
    "external link": lambda path: h5py.ExternalLink(_neighbour(path).name, "rewards"),
    "external link to an absolute path": lambda path: h5py.ExternalLink("/etc/passwd", "/"),
    "external link that climbs out": lambda path: h5py.ExternalLink("../../secret.h5", "/"),
    "external link to the file itself": lambda path: h5py.ExternalLink(path.name, "actions"),
    "soft link": lambda path: h5py.SoftLink("/actions"),
    "soft link in a circle": lambda path: h5py.SoftLink("/rewards"),
    "dangling soft link": lambda path: h5py.SoftLink("/nowhere"),
}.items():

    @hostile("is a link", _name)
    def _make(path: Path, link=_link) -> None:
        changed(path, lambda file: file.__setitem__("rewards", link(path)))


@hostile("is a link")
def external_link_beside_sound_columns(path: Path) -> None:
    link = h5py.ExternalLink(_neighbour(path).name, "/")
    changed(path, lambda file: file.__setitem__("infos", link), leave_out="")


@hostile(r"'\x1b[2J\x1b]0;owned\x07..\n\u202e' is a link")
def link_with_a_name_for_terminals(path: Path) -> None:
    name = "\x1b[2J\x1b]0;owned\x07..\n\u202e"
    changed(path, lambda file: file.__setitem__(name, h5py.SoftLink("/actions")))


@hostile("from other files")
def virtual_data_set(path: Path) -> None:
    layout = h5py.VirtualLayout(shape=(ROWS,), dtype="f4")
    layout[:] = h5py.VirtualSource(str(_neighbour(path)), "rewards", shape=(ROWS,))
    changed(path, lambda file: file.create_virtual_dataset("rewards", layout))


for _name, _segments in {
    "external storage": [("neighbour.hdf5", 0, 4 * ROWS)],
    "external storage of an absolute path": [("/etc/passwd", 0, 4 * ROWS)],
    "external storage that climbs out": [("../../../../etc/passwd", 0, 4 * ROWS)],
    "external storage without end": [("/dev/zero", 0, h5py.h5f.UNLIMITED)],
}.items():

    @hostile("from other files", _name)
    def _make(path: Path, segments=_segments) -> None:
        changed(
            path, lambda file: file.create_dataset("rewards", (ROWS,), "f4", external=segments)
        )


# Types that are no plain numbers.

for _name, _kind in {
    "strings": h5py.string_dtype(),
    "strings of one size": np.dtype("S1000"),
    "ragged rows": h5py.vlen_dtype(np.float32),
    "object references": h5py.ref_dtype,
    "region references": h5py.regionref_dtype,
    "opaque bytes": np.dtype("V64"),
    "records": np.dtype([("a", "f4"), ("b", "f4")]),
    "complex numbers": np.dtype("c8"),
    "long doubles": np.dtype("g"),
    "enumeration": h5py.enum_dtype({"low": 0, "high": 1}, basetype="i4"),
}.items():

    @hostile("type", _name)
    def _make(path: Path, kind=_kind) -> None:
        changed(path, lambda file: file.create_dataset("rewards", (ROWS,), kind))


@hostile("unusual type of numbers")
def floats_of_three_bytes(path: Path) -> None:
    def change(file: h5py.File) -> None:
        kind = h5py.h5t.IEEE_F32LE.copy()
        kind.set_fields(23, 16, 7, 0, 16)
        kind.set_size(3)
        space = h5py.h5s.create_simple((ROWS,))
        h5py.h5d.create(file.id, b"rewards", kind, space)

    changed(path, change)


@hostile("is a type")
def named_type_in_place_of_a_column(path: Path) -> None:
    changed(path, lambda file: file.__setitem__("rewards", np.dtype("f4")))


@hostile("is a group")
def group_in_place_of_a_column(path: Path) -> None:
    changed(path, lambda file: file.create_group("rewards/rewards"))


# Sizes beyond the file.


@hostile("never written")
def rows_that_were_never_written(path: Path) -> None:
    changed(path, lambda file: file.create_dataset("rewards", (ROWS,), "f4"))


@hostile("never written")
def chunks_that_were_never_written(path: Path) -> None:
    changed(path, lambda file: file.create_dataset("rewards", (ROWS,), "f4", chunks=(100,)))


for _name, _rows in {"2 ** 40 rows": 2**40, "2 ** 62 rows": 2**62}.items():

    @hostile("chunks; at most 50,000", _name)
    def _make(path: Path, rows=_rows) -> None:
        with h5py.File(path, "w") as file:
            for key, shape in {**SHAPES, "terminals": (ROWS,)}.items():
                content = (rows, *shape[1:])
                file.create_dataset(key, content, "f4", chunks=(1000, *shape[1:]))


@hostile("chunks; at most 50,000")
def a_chunk_for_every_number(path: Path) -> None:
    changed(path, lambda file: file.create_dataset("rewards", (10**7,), "f4", chunks=(1,)))


@hostile("chunks of 4.00 GB")
def one_chunk_of_4_gigabytes(path: Path) -> None:
    def change(file: h5py.File) -> None:
        column = file.create_dataset(
            "rewards", (ROWS,), "f4", chunks=(10**9,), maxshape=(None,), compression="gzip"
        )
        column.id.write_direct_chunk((0,), zlib.compress(bytes(4 * ROWS)))

    changed(path, change)


def patched(path: Path, old: bytes, new: bytes) -> None:
    """Replace bytes that stand in the file once."""
    content = path.read_bytes()
    assert content.count(old) == 1, content.count(old)
    path.write_bytes(content.replace(old, new))


@hostile("get it again")
def contiguous_rows_beyond_the_end(path: Path) -> None:
    """The header's address of the rewards points behind the end of the file."""
    sound(path)
    with h5py.File(path) as file:
        offset = file["rewards"].id.get_offset()
    patched(path, struct.pack("<QQ", offset, 4 * ROWS), struct.pack("<QQ", 2**40, 4 * ROWS))


@hostile("get it again")
def end_of_file_that_lies(path: Path) -> None:
    sound(path)
    size = path.stat().st_size
    patched(path, struct.pack("<Q", size), struct.pack("<Q", 2**50))


# Bombs.


@hostile("declares 2.6 GB of data in")
def gigabytes_of_zeros(path: Path) -> None:
    """About 2 MB that unpack honestly to 2.6 GB."""
    rows, step = 40 * 10**6, 4 * 10**5
    with h5py.File(path, "w") as file:
        for key, shape in {**SHAPES, "terminals": (ROWS,)}.items():
            chunk = (step, *shape[1:])
            packed = zlib.compress(bytes(4 * math.prod(chunk)), 9)
            content = (rows, *shape[1:])
            column = file.create_dataset(key, content, "f4", chunks=chunk, compression="gzip")
            for start in range(0, rows, step):
                column.id.write_direct_chunk((start, *(0 for _ in shape[1:])), packed)


def one_chunk(data: bytes, **settings) -> Make:
    def make(path: Path) -> None:
        def change(file: h5py.File) -> None:
            chosen = {"chunks": (ROWS,), "compression": "gzip", **settings}
            column = file.create_dataset("rewards", (ROWS,), "f4", **chosen)
            column.id.write_direct_chunk((0,), data)

        changed(path, change)

    return make


hostile("does not hold 4,000,000 bytes", "chunk that unpacks to 400 megabytes")(
    lambda path: one_chunk(bomb(), chunks=(10**6,), maxshape=(None,))(path)
)
hostile("larger than its numbers", "chunk that holds more than it may")(
    lambda path: one_chunk(bomb())(path)
)
_LZF = {"compression": "lzf"}
for _words, _name, _data, _settings in (
    ("does not hold 8,000", "chunk that unpacks to 8 MB", zlib.compress(bytes(8 * 10**6), 9), {}),
    ("does not hold", "chunk that unpacks to too little", zlib.compress(b"00"), {}),
    ("does not hold", "chunk cut short", zlib.compress(bytes(8000))[:-3], {}),
    ("does not hold", "chunk of a byte", b"1", {"compression": None}),
    ("get it again", "chunk of noise", bytes(range(256)), {}),
    ("get it again", "lzf chunk cut short", b"\xff" * 99, _LZF),
    ("'scaleoffset'; expected", "other filter", b"1", {"compression": None, "scaleoffset": 3}),
):
    hostile(_words, _name)(one_chunk(_data, **_settings))


@hostile("filters 'deflate', 'deflate', 'deflate'")
def gzip_in_gzip_in_gzip(path: Path) -> None:
    def change(file: h5py.File) -> None:
        settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        settings.set_chunk((ROWS,))
        for _ in range(3):
            settings.set_deflate(9)
        space = h5py.h5s.create_simple((ROWS,))
        array = h5py.h5d.create(file.id, b"rewards", h5py.h5t.IEEE_F32LE, space, settings)
        array.write_direct_chunk((0,), b"1")

    changed(path, change)


@hostile("stored bytes; the file has")
def columns_that_share_their_bytes(path: Path) -> None:
    """Every chunk's entry in the index leads to the same bytes."""
    rng = np.random.default_rng(0)
    content = {key: rng.uniform(size=shape).astype(np.float32) for key, shape in SHAPES.items()}
    with h5py.File(path, "w") as file:
        for key, values in content.items():
            file[key] = values
        file["terminals"] = np.zeros(ROWS, bool)
        segments = [file[key].id.get_offset() for key in ("observations", "actions")]
        big = file.create_dataset("next_observations", (ROWS, 11), "f4")
        big[...] = 0
        last = big.id.get_offset()
    content = path.read_bytes()
    size = 4 * 11 * ROWS
    content = content.replace(
        struct.pack("<QQ", last, size), struct.pack("<QQ", segments[0], size)
    )
    path.write_bytes(content[:last] + content[last + size :])
    cut = path.read_bytes()
    old, new = struct.pack("<Q", len(content)), struct.pack("<Q", len(cut))
    path.write_bytes(cut.replace(old, new))


# Contents.


@hostile("NaN or infinite")
def not_a_number_in_the_last_row(path: Path) -> None:
    values = np.zeros(ROWS, np.float32)
    values[-1] = np.nan
    changed(path, lambda file: file.__setitem__("rewards", values))


@hostile("other than 0 and 1")
def truth_values_beyond_true(path: Path) -> None:
    def change(file: h5py.File) -> None:
        column = file.create_dataset("terminals", (ROWS,), bool, chunks=(ROWS,))
        column.id.write_direct_chunk((0,), bytes([7]) * ROWS)

    changed(path, change, leave_out="terminals")


@hostile("misses observations")
def members_without_number(path: Path) -> None:
    with h5py.File(path, "w", libver="latest") as file:
        for i in range(20_000):
            file.create_group(f"{i}" + "x" * 20)


@pytest.mark.faults
@pytest.mark.parametrize("name", MAKERS)
def test_it_is_refused_in_one_line(name: str, tmp_path: Path, count_faults: CountFaults) -> None:
    make, message = MAKERS[name]
    path = tmp_path / "data.hdf5"
    make(path)
    with pytest.raises(UserError) as caught:
        load(TASK, path)
    line = str(caught.value)
    assert message in line and str(path) in line and TASK in line
    assert line.isprintable() and len(line) < 500
    count_faults("attack", 1)


def test_the_sound_file_is_read(tmp_path: Path) -> None:
    """So that each refusal is for what was made wrong."""
    path = tmp_path / "data.hdf5"
    gzip, lzf = {"compression": "gzip"}, {"compression": "lzf"}
    for settings in ({}, gzip, gzip | {"shuffle": True}, lzf, lzf | {"fletcher32": True}):
        sound(path, **settings)
        data = load(TASK, path)
        with h5py.File(path) as file:
            for key in [*SHAPES, "timeouts"]:
                np.testing.assert_array_equal(getattr(data, key), file[key][...])


READ_ALL = """
import resource, sys
from pathlib import Path
from qipo_ray.data.inspector import close_idle
from qipo_ray.data.load import load
from qipo_ray.errors import UserError

for path in sys.argv[2:]:
    try:
        sys.exit(load(sys.argv[1], path))
    except UserError:
        pass
close_idle()
# The program's own ru_maxrss would begin at what pytest had.
lines = Path("/proc/self/status").read_text().splitlines()
print(max(int(line.split()[1]) // 1024 for line in lines if "VmHWM" in line))
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
"""


@pytest.mark.slow
def test_all_together_take_less_than_200_mb(tmp_path: Path) -> None:
    paths = []
    assert len(MAKERS) >= 40
    for i, (make, _) in enumerate(MAKERS.values()):
        (tmp_path / str(i)).mkdir()
        paths.append(tmp_path / str(i) / "data.hdf5")
        make(paths[-1])
    command = [sys.executable, "-c", READ_ALL, TASK, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    parent, child = map(int, done.stdout.split())
    assert parent + child < 200  # MB; Python with numpy alone takes 30, with h5py 40
