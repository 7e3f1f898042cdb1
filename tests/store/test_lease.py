from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from fixtures.fault_counts import CountFaults, scaled

from qipo_ray.errors import UserError
from qipo_ray.store import lease as module
from qipo_ray.store.files import HOST, sealed, write_new
from qipo_ray.store.lease import (
    Lease,
    LeaseHeld,
    LeaseLost,
    StopAsked,
    ask_to_stop,
    driver,
    driving,
)

LIMIT_S = 240.0


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def rewrite(lease: Lease, **changes: object) -> None:
    """Make the lease's file tell of another driver."""
    module._path(lease.root, lease.attempt).write_bytes(
        sealed(asdict(replace(lease.holder, **changes)))
    )


def test_a_second_driver_is_refused_with_the_first_ones_name(tmp_path: Path) -> None:
    first = Lease.take(tmp_path)
    with pytest.raises(LeaseHeld) as caught:
        Lease.take(tmp_path)
    assert isinstance(caught.value, UserError)
    for part in (str(tmp_path), f"process {os.getpid()}", socket.gethostname()):
        assert part in str(caught.value)
    assert first.holder.started in str(caught.value) and "\n" not in str(caught.value)
    first.beat()
    assert (first.attempt, first.before) == (1, None)


def test_a_released_lease_is_free_at_once(tmp_path: Path) -> None:
    for attempt in (1, 2, 3):
        lease = Lease.take(tmp_path)
        assert (lease.attempt, lease.before) == (attempt, None)
        lease.beat()
        lease.release()


@pytest.mark.slow
def test_that_of_a_killed_process_is_taken_over_at_once(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from qipo_ray.store.lease import Lease\n"
        "Lease.take(Path(sys.argv[1])); print('taken', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None and child.stdout.readline() == "taken\n"
    with pytest.raises(LeaseHeld, match=f"process {child.pid} "):
        Lease.take(tmp_path)
    child.send_signal(signal.SIGSTOP)
    with pytest.raises(LeaseHeld, match=f"process {child.pid} "):
        Lease.take(tmp_path)  # a stopped driver lives, and holds nobody up
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, and not yet reaped
    lease = Lease.take(tmp_path)
    assert lease.attempt == 2 and lease.before is not None and lease.before.pid == child.pid
    child.communicate()


def test_a_process_that_got_the_number_of_a_dead_one_holds_nothing(tmp_path: Path) -> None:
    first = Lease.take(tmp_path)
    rewrite(first, birth="1")
    assert Lease.take(tmp_path).attempt == 2


@pytest.mark.parametrize("place", ["another machine", "this machine before its reboot"])
def test_a_driver_elsewhere_is_waited_for(tmp_path: Path, place: str) -> None:
    clock = Clock()
    first = Lease.take(tmp_path, clock)
    rewrite(first, place=place, pid=2**22 + 1, host="far")
    for later in (0.0, 59.0, 60.0, -5.0):
        clock.now = first.holder.heartbeat + later
        with pytest.raises(LeaseHeld, match=r"host far.*60 s"):
            Lease.take(tmp_path, clock)
    clock.now = first.holder.heartbeat + 60.5
    second = Lease.take(tmp_path, clock)
    assert second.before is not None and second.before.host == "far"
    with pytest.raises(LeaseLost, match=f"process {os.getpid()}"):
        first.beat()
    first.release()  # too late to free what it has lost
    with pytest.raises(LeaseHeld):
        Lease.take(tmp_path, clock)


@pytest.mark.parametrize("beats_at", [None, 0, 29])
def test_a_heartbeat_in_the_future_is_watched(tmp_path: Path, beats_at: int | None) -> None:
    """A wrong clock locks nothing for years; a driver that lives keeps its own."""
    clock, seconds = Clock(), []
    first = Lease.take(tmp_path, clock)
    rewrite(first, place="another machine", heartbeat=clock.now + 1e8)

    def sleep(_: float) -> None:
        if len(seconds) == beats_at:
            rewrite(first, place="another machine", heartbeat=clock.now + 1e8 + 10)
        seconds.append(1)

    if beats_at is None:
        assert Lease.take(tmp_path, clock, sleep).attempt == 2
        assert len(seconds) == 30
    else:
        with pytest.raises(LeaseHeld):
            Lease.take(tmp_path, clock, sleep)
        assert len(seconds) == beats_at + 1


def test_the_heartbeat_keeps_a_driver_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    first = Lease.take(tmp_path, clock)
    monkeypatch.setattr(module, "_place", lambda: "another machine")
    for _ in range(5):
        clock.now += 50
        with pytest.raises(LeaseHeld):
            Lease.take(tmp_path, clock)
        first.beat()
    clock.now += 61
    assert Lease.take(tmp_path, clock).attempt == 2


def test_without_proc_the_number_alone_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_birth", lambda pid: "")
    first = Lease.take(tmp_path)
    with pytest.raises(LeaseHeld):
        Lease.take(tmp_path)
    rewrite(first, pid=2**22 + 1)
    assert Lease.take(tmp_path).attempt == 2


def test_a_damaged_file_names_no_driver(tmp_path: Path) -> None:
    for attempt, damage in enumerate((b"", b"{", b"null", json.dumps({"pid": 1}).encode()), 1):
        lease = Lease.take(tmp_path)
        assert lease.attempt == attempt
        module._path(tmp_path, attempt).write_bytes(damage)
    with pytest.raises(LeaseHeld):
        Lease.take(tmp_path), Lease.take(tmp_path)


@pytest.mark.faults
@pytest.mark.parametrize("before", ["nobody", "released", "dead"])
def test_of_simultaneous_takers_exactly_one_wins(
    tmp_path: Path, before: str, count_faults: CountFaults
) -> None:
    for round_ in range(scaled(17)):
        root = tmp_path / str(round_)
        if before != "nobody":
            lease = Lease.take(root)
            lease.release() if before == "released" else rewrite(lease, birth="1")
        gate, opened = os.pipe()

        def act(i: int, root: Path = root, gate: int = gate, opened: int = opened) -> int:
            os.close(opened)
            try:
                lease = Lease.take(root)
            except LeaseHeld:
                return 100
            select.select([gate], [], [], 10)  # lives until every other one has been refused
            return lease.attempt

        codes = _race(act, opened)
        os.close(gate)
        assert sorted(codes) == [1 if before == "nobody" else 2] + [100] * 7
    count_faults("race of drivers", scaled(17))


def _race(act: Callable[[int], int], opened: int) -> list[int]:
    """Run 8 children; the winner blocks until the 7 others have ended."""
    codes, said = os.pipe()
    children = []
    for i in range(8):
        child = os.fork()
        if child == 0:
            code = 251
            try:
                code = act(i)
            finally:
                os.write(said, bytes([code]))
                os._exit(0)
        children.append(child)
    found = [os.read(codes, 1)[0] for _ in range(7)]
    os.close(opened)
    found.append(os.read(codes, 1)[0])
    for child in children:  # by number: this session may have other children
        os.waitpid(child, 0)
    os.close(codes)
    os.close(said)
    return found


def test_who_drives_is_told_without_taking_anything(tmp_path: Path) -> None:
    assert driver(tmp_path) is None
    lease = Lease.take(tmp_path)
    assert driver(tmp_path) == lease.holder
    rewrite(lease, birth="1")  # of a process that is gone
    assert driver(tmp_path) is None
    clock = Clock()
    rewrite(lease, place="elsewhere", heartbeat=clock.now - 59)
    assert str(driver(tmp_path, clock)).startswith(f"process {os.getpid()} on host")
    rewrite(lease, place="elsewhere", heartbeat=clock.now - 61)
    assert driver(tmp_path, clock) is None
    rewrite(lease, released=True)
    assert driver(tmp_path) is None
    assert [path.name for path in (tmp_path / "driver").iterdir()] == ["000001.json"]


@pytest.mark.parametrize("field", ["pid", "host", "place", "birth", "heartbeat", "released"])
def test_a_file_of_another_shape_names_no_driver(tmp_path: Path, field: str) -> None:
    lease = Lease.take(tmp_path)
    for value in (None, [], {"a": 1}):
        content = asdict(lease.holder) | {field: value}
        module._path(tmp_path, 1).write_bytes(sealed(content))
        assert driver(tmp_path) is None
    assert Lease.take(tmp_path).attempt == 2


def test_the_lease_is_held_for_the_length_of_the_block(tmp_path: Path) -> None:
    with driving(tmp_path) as lease:
        assert driver(tmp_path) == lease.holder
        with pytest.raises(LeaseHeld, match="is driven by process"), driving(tmp_path):
            pytest.fail("two drivers of one folder")
    assert driver(tmp_path) is None


def test_a_driver_removes_what_killed_writers_left(tmp_path: Path) -> None:
    job = "artefacts/policy-0123456789abcdef"
    dead, alive = [], []
    for folder in ("", "records", "trials", job, f"{job}/staging-000001"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        for pid, files in ((2**22 + 1, dead), (os.getpid(), alive)):
            files.append(tmp_path / folder / f".x.json.{HOST}.{pid}.0123abcd.tmp")
            files[-1].touch()
    with driving(tmp_path):
        assert not any(path.exists() for path in dead)
        assert all(path.exists() for path in alive)


def test_the_lease_is_released_when_the_block_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), driving(tmp_path):
        raise ZeroDivisionError
    with driving(tmp_path) as lease:
        assert lease.attempt == 2 and lease.before is None


def test_a_driver_that_was_overtaken_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BEAT_EVERY_S", 0.01)
    with pytest.raises(LeaseLost, match="was taken over by process"), driving(tmp_path) as lease:
        newer = replace(lease.holder, started="2026-01-01T00:00:00Z")
        write_new(tmp_path / "driver" / "000002.json", sealed(asdict(newer)))
        threading.Event().wait(LIMIT_S)
        pytest.fail("the block went on")


def test_a_driver_that_is_asked_to_stop_is_interrupted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BEAT_EVERY_S", 0.01)
    with pytest.raises(UserError, match="nobody drives .*; there is nothing to stop"):
        ask_to_stop(tmp_path)
    with pytest.raises(StopAsked, match="the same command goes on"), driving(tmp_path) as lease:
        assert ask_to_stop(tmp_path).pid == lease.holder.pid
        threading.Event().wait(LIMIT_S)
        pytest.fail("the block went on")
    assert driver(tmp_path) is None
    with driving(tmp_path) as lease:  # the sign was for the other one
        lease.beat()
