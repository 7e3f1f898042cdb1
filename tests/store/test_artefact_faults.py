"""ArtefactStore when processes die, the disk fails, and several processes meet at every point."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from fixtures.damage import spoilt
from fixtures.fault_counts import CountFaults, scaled

from qipo_ray.store import artefacts
from qipo_ray.store.artefacts import ArtefactStore

JOB = ("critic", "0123456789abcdef")


def data(updates: int) -> bytes:
    return random.Random(updates).randbytes(5000)


@pytest.fixture
def store(tmp_path: Path) -> ArtefactStore:
    return ArtefactStore(tmp_path)


def fill(store: ArtefactStore, *lengths: int) -> int:
    attempt = store.claim(*JOB)
    for updates in lengths:
        store.write(*JOB, updates, data(updates), attempt=attempt)
    return attempt


def data_file(store: ArtefactStore, updates: int) -> Path:
    found = store.find(*JOB, updates)
    assert found is not None
    return store.folder(*JOB) / found.file


@pytest.mark.faults
def test_every_crash_point_of_a_write(store: ArtefactStore, crash_points: Any) -> None:
    """Write, replace and prune: the newest state is the old or the new one, and work goes on."""
    attempt = fill(store, 100, 200, 300)
    assert store.keep(*JOB, 200)
    states: set[int] = set()

    def act() -> None:
        store.write(*JOB, 300, b"again", attempt=attempt)
        store.write(*JOB, 400, data(400), attempt=attempt)

    for _ in crash_points(act):
        found = store.newest(*JOB)
        assert found is not None
        states.add(found[0].updates)
        assert found[1] == data(400) if found[0].updates == 400 else data(300)
        assert store.read(*JOB, 300) in (data(300), b"again")
        assert store.read(*JOB, 200) == data(200)
        assert not list(store.folder(*JOB).glob("*.corrupt"))
        shutil.rmtree(store.root)
        attempt = fill(store, 100, 200, 300)
        assert store.keep(*JOB, 200)
    assert states == {300, 400}


@pytest.mark.faults
def test_after_any_crash_the_next_attempt_cleans_up(
    store: ArtefactStore, crash_points: Any
) -> None:
    length = 300
    fill(store, 100, 200)
    count = 0

    def work() -> None:
        fill(store, length)

    for _ in crash_points(work):
        count += 1
        attempt = fill(store, length + 100)
        folder = store.folder(*JOB)
        assert len(store.lengths(*JOB)) == 2 and store.lengths(*JOB)[-1] == length + 100
        left = {path.name for path in folder.iterdir() if not path.name.startswith("attempt-")}
        files = {data_file(store, updates).name for updates in store.lengths(*JOB)}
        names = {f"{updates:09d}.json" for updates in store.lengths(*JOB)}
        assert left == files | names | {f"staging-{attempt:06d}"}
        assert list((folder / f"staging-{attempt:06d}").iterdir()) == []
        length += 200
    assert count > 30


@pytest.mark.faults
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_an_error_at_any_point_leaves_old_or_new(
    store: ArtefactStore, disk: Any, code: int, count_faults: CountFaults
) -> None:
    failed: list[str] = []

    def fail(name: str, args: tuple[Any, ...]) -> None:
        failed.append(name)
        raise OSError(code, os.strerror(code))

    attempt = fill(store, 100, 200)
    newest = 200
    for n in range(1, 100):
        updates = newest + 100
        with disk.at(n, fail):
            try:
                store.write(*JOB, updates, data(updates), attempt=attempt)
            except OSError as problem:
                assert problem.errno == code
        found = store.newest(*JOB)
        assert found is not None and found[0].updates in (newest, updates)
        assert found[1] == data(found[0].updates)
        litter = list((store.folder(*JOB) / f"staging-{attempt:06d}").iterdir())
        assert litter == [] or failed[-1] == "unlink"  # the next claim would sweep it
        for path in litter:
            path.unlink()
        if not disk.reached(n):
            break
        newest = updates
        store.write(*JOB, newest, data(newest), attempt=attempt)  # space again: goes on
        assert store.lengths(*JOB)[-2:] == [newest - 100, newest]
    assert n > 15 and len(store.lengths(*JOB)) == 2
    count_faults("full disk, I/O error or quota", n - 1)


def test_a_reader_at_any_point_of_a_write_sees_old_or_new(store: ArtefactStore, disk: Any) -> None:
    attempt = fill(store, 100, 200)
    updates, seen = 200, set()
    for n in range(1, 100):
        updates += 100

        def look(name: str, args: tuple[Any, ...], now: int = updates) -> None:
            found = store.newest(*JOB)
            assert found is not None and found[1] == data(found[0].updates)
            assert found[0].updates in (now - 100, now)
            seen.add(now - found[0].updates)

        with disk.at(n, look):
            store.write(*JOB, updates, data(updates), attempt=attempt)
        if not disk.reached(n):
            break
    assert seen == {0, 100}
    assert not list(store.folder(*JOB).glob("*.corrupt"))


def test_a_reader_goes_on_when_the_writer_prunes_under_it(store: ArtefactStore) -> None:
    attempt = fill(store, 100, 200)
    real, turns = Path.read_bytes, iter((300, 400, 500, 600))

    def slow(path: Path) -> bytes:
        if path.suffix == ".pt":
            updates = next(turns, None)
            if updates is not None and path.name.startswith(f"{updates - 100:09d}"):
                Path.read_bytes = real  # type: ignore[method-assign]
                for more in (updates, updates + 50):
                    store.write(*JOB, more, data(more), attempt=attempt)
        return real(path)

    Path.read_bytes = slow  # type: ignore[method-assign]
    try:
        found = store.newest(*JOB)
    finally:
        Path.read_bytes = real  # type: ignore[method-assign]
    assert found is not None and found[0].updates == 350
    assert not list(store.folder(*JOB).glob("*.corrupt"))


@pytest.mark.faults
def test_no_damaged_checkpoint_is_read(
    store: ArtefactStore, count_faults: CountFaults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest one is damaged each time: it is set aside, and the one before it is used."""
    dice = random.Random(5)
    attempt = fill(store, 100, 200)
    path = data_file(store, 200)
    for _ in range(scaled(1000)):
        path.write_bytes(spoilt(data(200), data(100), dice))
        newest = store.newest(*JOB)
        assert newest is not None and newest[0].updates == 100 and newest[1] == data(100)
        assert store.read(*JOB, 200) is None and not path.exists()
        store.write(*JOB, 200, data(200), attempt=attempt)
    count_faults("damaged checkpoint", scaled(1000))
    monkeypatch.setattr(artefacts, "matches", lambda info, data: True)  # without the check sum
    path.write_bytes(spoilt(data(200), data(100), dice))
    assert store.read(*JOB, 200) not in (None, data(200))


@pytest.mark.faults
def test_killed_writers_leave_a_valid_store(store: ArtefactStore) -> None:
    newest = 0
    dice = random.Random(1)
    for _ in range(15):
        ready, tell = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                attempt = store.claim(*JOB)
                os.write(tell, b"!")
                found = store.newest(*JOB)
                updates = 0 if found is None else found[0].updates
                while True:
                    updates += 1
                    store.write(*JOB, updates, data(updates), attempt=attempt)
                    os.write(tell, b"!")
            finally:
                os._exit(1)
        os.close(tell)
        for _ in range(dice.randrange(2, 8)):
            assert os.read(ready, 1) == b"!"
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(ready)
        found = store.newest(*JOB)
        assert found is not None and found[1] == data(found[0].updates)
        assert found[0].updates >= newest
        newest = found[0].updates
    fill(store, newest + 1)
    assert newest >= 15 and not list(store.folder(*JOB).rglob("*.tmp"))
    assert not list(store.folder(*JOB).glob("*.corrupt"))
