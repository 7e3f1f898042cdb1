from __future__ import annotations

import errno
import hashlib
import os
import signal
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from fixtures.fault_counts import CountFaults

from qipo_ray.store.files import (
    HOST,
    check_name,
    json_bytes,
    make_folder,
    parse_json,
    remove_stale,
    sealed,
    set_aside,
    sha256_file,
    unsealed,
    write_bytes,
    write_new,
)

OLD, NEW = b"old " * 1000, b"new!" * 3000


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.mark.parametrize("mask", [0o002, 0o027, 0o077])
def test_write_bytes_replaces_and_follows_the_umask(tmp_path: Path, mask: int) -> None:
    path = tmp_path / "a" / "b" / "x.bin"
    before = os.umask(mask)
    try:
        write_bytes(path, OLD)
        write_bytes(path, NEW)
    finally:
        os.umask(before)
    assert path.read_bytes() == NEW and names(path.parent) == ["x.bin"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask
    assert {stat.S_IMODE(p.stat().st_mode) for p in path.parents[:2]} == {0o777 & ~mask}
    assert sha256_file(path) == hashlib.sha256(NEW).hexdigest()


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, bytes(data)[:7]))
    write_bytes(tmp_path / "x", NEW[:100])
    assert (tmp_path / "x").read_bytes() == NEW[:100]


def test_write_new_never_replaces(tmp_path: Path) -> None:
    write_new(tmp_path / "x", OLD)
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "x", NEW)
    assert (tmp_path / "x").read_bytes() == OLD and names(tmp_path) == ["x"]


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(OLD)
    (tmp_path / "x").symlink_to(outside)
    write_bytes(tmp_path / "x", NEW)
    assert outside.read_bytes() == OLD and (tmp_path / "x").read_bytes() == NEW


@pytest.mark.faults
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_an_error_at_any_point_leaves_old_or_new_and_no_litter(
    tmp_path: Path, disk: Any, code: int, count_faults: CountFaults
) -> None:
    path = tmp_path / "x"

    def fail(name: str, args: tuple[Any, ...]) -> None:
        raise OSError(code, os.strerror(code))

    outcomes = []
    for n in range(1, 100):
        path.write_bytes(OLD)
        with disk.at(n, fail):
            try:
                write_bytes(path, NEW)
                failed = False
            except OSError as problem:
                assert problem.errno == code
                failed = True
        if not disk.reached(n):
            break
        assert failed
        outcomes.append(path.read_bytes())
        assert names(tmp_path) == ["x"]
    assert set(outcomes) == {OLD, NEW} and len(outcomes) >= 6
    count_faults("full disk, I/O error or quota", len(outcomes))


def test_failing_replace_removes_the_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bytes(tmp_path / "x", OLD)

    def fail(source: object, target: object) -> None:
        raise OSError(errno.EIO, "no")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no"):
        write_bytes(tmp_path / "x", NEW)
    assert (tmp_path / "x").read_bytes() == OLD and names(tmp_path) == ["x"]


@pytest.mark.faults
@pytest.mark.parametrize("write", [write_bytes, write_new])
def test_every_crash_point_leaves_old_or_new(
    tmp_path: Path, crash_points: Any, write: Any
) -> None:
    path = tmp_path / "x"
    states = []
    if write is write_bytes:
        path.write_bytes(OLD)
    for _ in crash_points(lambda: write(path, NEW)):
        states.append(path.read_bytes() if path.exists() else None)
        remove_stale(tmp_path)
        assert set(names(tmp_path)) <= {"x"}
        if write is write_bytes:
            path.write_bytes(OLD)
        else:
            path.unlink(missing_ok=True)
    old = OLD if write is write_bytes else None
    assert set(states) == {old, NEW} and len(states) >= 7


@pytest.mark.slow
def test_one_of_many_creates(tmp_path: Path, race: Any) -> None:
    def act(i: int) -> int:
        try:
            write_new(tmp_path / "x", bytes([i]) * 1000)
        except FileExistsError:
            return 200
        return i

    codes = race(12, act)
    (winner,) = [code for code in codes if code != 200]
    assert (tmp_path / "x").read_bytes() == bytes([winner]) * 1000
    assert names(tmp_path) == ["x"]


def test_killed_writer_leaves_a_file_that_is_swept(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_bytes(path, OLD)
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:

        def stop(descriptor: int) -> None:
            os.write(tell, b"!")
            signal.pause()

        try:
            os.fsync = stop  # type: ignore[assignment]
            write_bytes(path, NEW)
        finally:
            os._exit(1)
    os.close(tell)
    assert os.read(ready, 1) == b"!"
    assert remove_stale(tmp_path) == []  # its writer lives
    (left,) = [name for name in names(tmp_path) if name != "x"]
    assert left.startswith(".x.") and left.endswith(".tmp")
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(ready)
    assert [stale.name for stale in remove_stale(tmp_path)] == [left]
    assert path.read_bytes() == OLD and names(tmp_path) == ["x"]


def test_remove_stale_spares_the_living_other_hosts_and_other_files(tmp_path: Path) -> None:
    other = "0" * 8 if HOST != "0" * 8 else "1" * 8
    mine = tmp_path / f".x.{HOST}.{os.getpid()}.00000000.tmp"
    far = tmp_path / f".x.{other}.999999.00000000.tmp"
    users = [tmp_path / ".x.tmp", tmp_path / "x.tmp", tmp_path / "x.json"]
    for path in (mine, far, *users):
        path.touch()
    assert remove_stale(tmp_path) == []
    past = time.time() - 7200
    for path in (far, *users):
        os.utime(path, (past, past))
    assert remove_stale(tmp_path) == [far]
    assert remove_stale(tmp_path / "missing") == []


def test_json_is_sorted_indented_and_finite() -> None:
    data = json_bytes({"b": 1.5, "a": [None, True, "é"]})
    assert parse_json(data) == {"a": [None, True, "é"], "b": 1.5}
    assert data.index(b'"a"') < data.index(b'"b"') and data.endswith(b"}\n")
    for number in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="not JSON compliant"):
            json_bytes({"a": number})


@pytest.mark.parametrize("data", [b"", b"{", b'{"a": NaN}', b"\xff\xfe", b"[" * 100_000, b"{} {}"])
def test_damaged_json_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="."):
        parse_json(data)


def test_a_seal_shows_every_flipped_bit_and_every_cut() -> None:
    obj = {"mean": 12.25, "name": "a b", "list": [1, 2, None], "deep": {"x": True, "y": -1e-9}}
    data = sealed(obj)
    assert unsealed(data) == obj
    for bit in range(8 * len(data)):
        broken = bytearray(data)
        broken[bit // 8] ^= 1 << bit % 8
        try:
            assert unsealed(bytes(broken)) == obj  # such as a space that became another space
        except ValueError:
            continue
    for end in range(len(data) - 1):
        with pytest.raises(ValueError):
            unsealed(data[:end])
    with pytest.raises(ValueError, match="no check sum"):
        unsealed(b'{"mean": 1}')


def test_set_aside_gives_a_good_file_its_name_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(NEW)
    set_aside(path, OLD, "judged before it was replaced")
    assert path.read_bytes() == NEW and names(tmp_path) == ["x.json"] and not caplog.records
    set_aside(path, NEW, "bad")
    assert names(tmp_path) == ["x.json.corrupt"]
    assert "x.json is damaged (bad); renamed to x.json.corrupt" in caplog.text
    set_aside(path, NEW, "gone already")


def test_names() -> None:
    for good in ("a", "0", "behaviour-01", "a.b_c-d", "x" * 64):
        assert check_name(good) == good
    bad = ["", ".", "..", "../x", "a/b", "/a", "a..b", "-a", "_a", ".a", "A", "é", "a\n", "a\0"]
    bad += ["x" * 65, "a b", "con/", "~", "$x", "a\\b", "ａ", "a%2e", "*", "a:b"]
    for name in bad:
        with pytest.raises(ValueError, match="unsafe name"):
            check_name(name)
    with pytest.raises(ValueError):
        check_name(3)  # type: ignore[arg-type]


def test_make_folder_where_a_file_is(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    with pytest.raises(NotADirectoryError):
        make_folder(tmp_path / "x" / "y")
