from __future__ import annotations

import fcntl
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fixtures.damage import spoilt
from fixtures.fault_counts import CountFaults, scaled

from qipo_ray.data import mapped as module
from qipo_ray.data.mapped import mapped

ROWS = 1_000_000  # 4 MB


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QIPO_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache" / "mapped"


def make() -> dict[str, np.ndarray]:
    return {"rows": np.arange(12, dtype=np.float32).reshape(4, 3), "none": np.zeros(0, np.int64),
            "flag": np.array(True)}  # fmt: skip


def never() -> dict[str, np.ndarray]:
    raise AssertionError("made twice")


def test_made_once_and_mapped_with_every_type() -> None:
    mapped("a", make)
    found = mapped("a", never)
    assert set(found) == set(make())
    for name, expected in make().items():
        assert found[name].dtype == expected.dtype
        np.testing.assert_array_equal(found[name], expected)
    assert isinstance(found["rows"], np.memmap)
    assert mapped("b", lambda: {"rows": np.ones(3)})["rows"].shape == (3,)


def test_a_write_stays_in_its_own_mapping() -> None:
    torch = pytest.importorskip("torch")
    one, other = mapped("a", make)["rows"], mapped("a", never)["rows"]
    torch.from_numpy(one)[0] = 99
    assert one[0, 0] == 99
    np.testing.assert_array_equal(other, make()["rows"])
    np.testing.assert_array_equal(mapped("a", never)["rows"], make()["rows"])


def test_a_maker_that_fails_leaves_nothing(cache: Path) -> None:
    with pytest.raises(AssertionError):
        mapped("a", never)
    assert [path.name for path in cache.iterdir()] == ["a.lock"]
    mapped("a", make)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("in_another_process", [True, False])
@pytest.mark.parametrize(
    "harm",
    [
        lambda folder: flip(folder / "rows.npy"),
        lambda folder: (folder / "rows.npy").write_bytes(bytes(176)),
        lambda folder: os.truncate(folder / "rows.npy", 130),
        lambda folder: (folder / "rows.npy").write_bytes(b""),
        lambda folder: (folder / "none.npy").unlink(),
        lambda folder: (folder / "more.npy").touch(),
        lambda folder: flip(folder / module.MANIFEST),
        lambda folder: (folder / module.MANIFEST).unlink(),  # or of an earlier version
    ],
)
def test_damaged_arrays_are_made_anew_with_one_line(
    harm: Callable[[Path], object],
    in_another_process: bool,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    mapped("a", make)
    harm(cache / "a")
    if in_another_process:
        monkeypatch.setattr(module, "_sound", {})
    found = mapped("a", make)
    assert caplog.messages == [f"prepared data in {cache / 'a'} were damaged: they are made anew"]
    assert set(found) == set(make())
    for name, expected in make().items():
        np.testing.assert_array_equal(found[name], expected)
    monkeypatch.setattr(module, "_sound", {})
    mapped("a", never)


@pytest.mark.faults
def test_no_damaged_array_is_mapped(
    cache: Path, monkeypatch: pytest.MonkeyPatch, count_faults: CountFaults
) -> None:
    dice = random.Random(3)
    rows, sibling = cache / "a" / "rows.npy", cache / "b" / "rows.npy"
    mapped("b", lambda: {"rows": np.ones((4, 3), np.float32)})
    for _ in range(scaled(1000)):
        mapped("a", make)
        rows.write_bytes(spoilt(rows.read_bytes(), sibling.read_bytes(), dice))
        monkeypatch.setattr(module, "_sound", {})  # as another process
        np.testing.assert_array_equal(mapped("a", make)["rows"], make()["rows"])
    count_faults("damaged prepared array", scaled(1000))
    monkeypatch.setattr(module, "_is_sound", lambda target: True)  # without the check sums
    rows.write_bytes(sibling.read_bytes())
    assert (mapped("a", never)["rows"] == 1).all()


@pytest.mark.slow
def test_who_prepares_for_too_long_is_not_waited_for(
    cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Such as a process that was stopped: the lock is its own until it goes on."""
    monkeypatch.setattr(module, "TELL_S", 0.0)
    monkeypatch.setattr(module, "WAIT_S", 0.3)
    mapped("a", make)
    with (cache / "b.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        np.testing.assert_array_equal(mapped("b", make)["rows"], make()["rows"])
    waits, own = caplog.messages
    assert waits == f"waiting for another process that prepares data: it holds {cache}/b.lock"
    assert "its own copy" in own and not (cache / "b").exists()


def test_half_a_write_is_not_taken(cache: Path, monkeypatch, caplog) -> None:
    def full(file: object, array: object, **settings: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", full)
        found = mapped("a", make)
    np.testing.assert_array_equal(found["rows"], make()["rows"])
    assert "No space left on device" in caplog.text and "its own copy" in caplog.text
    assert [path.name for path in cache.iterdir()] == ["a.lock"]
    (cache / "a.half").mkdir()
    (cache / "a.half" / "rows.npy").write_bytes(b"of a process that died")
    np.testing.assert_array_equal(mapped("a", make)["rows"], make()["rows"])


def test_what_nobody_used_for_long_is_removed(cache: Path) -> None:
    long_ago = time.time() - module.KEEP_S - 60
    for key in ("old", "used"):
        mapped(key, make)
        os.utime(cache / key, (long_ago, long_ago))
        os.utime(cache / f"{key}.lock", (long_ago, long_ago))
    still = mapped("used", never)
    mapped("new", make)
    assert {path.name for path in cache.iterdir() if path.is_dir()} == {"used", "new"}
    np.testing.assert_array_equal(still["rows"], make()["rows"])


READER = """
import sys
from pathlib import Path
import numpy as np
from qipo_ray.data.mapped import mapped

def make():
    with open(sys.argv[1], "a") as file:
        file.write("made\\n")
    return {"rows": np.arange(int(sys.argv[2]), dtype=np.float32)}

def private():
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    kinds = ("Private_Clean:", "Private_Dirty:")
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith(kinds))

before = private()
rows = mapped("a", make)["rows"]
total = float(rows.sum())
print(total, flush=True)
sys.stdin.readline()
print(private() - before, flush=True)
sys.stdin.readline()
rows[:] = float(sys.argv[3])
print(float(rows.sum()), flush=True)
sys.stdin.readline()
print(float(rows.sum()), flush=True)
"""


@pytest.mark.slow
def test_four_processes_share_one_copy_and_no_write(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-c", READER, str(log), str(ROWS)]
    readers = [
        subprocess.Popen(
            [*command, str(i)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for i in range(4)
    ]

    def hear() -> list[float]:
        return [float(reader.stdout.readline()) for reader in readers]

    def go_on() -> None:
        for reader in readers:
            reader.stdin.write("\n")
            reader.stdin.flush()

    total = float(np.arange(ROWS, dtype=np.float32).sum())
    assert hear() == [total] * 4
    assert log.read_text() == "made\n"
    go_on()
    assert sorted(hear())[2] < ROWS  # bytes: less than a quarter of the rows is private
    go_on()
    written = hear()
    assert written == [float(i * ROWS) for i in range(4)]  # every one sees its own
    go_on()
    assert hear() == written
    for reader in readers:
        reader.communicate()
    assert float(mapped("a", never)["rows"].sum()) == total
