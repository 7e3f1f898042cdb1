from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from fixtures.fault_counts import CountFaults, scaled

from qipo_ray.store.artefacts import ArtefactStore
from qipo_ray.store.fencing import StaleToken

JOB = ("behaviour", "0123456789abcdef")


def folders(store: ArtefactStore) -> list[str]:
    return sorted(path.name for path in store.folder(*JOB).iterdir() if path.is_dir())


def test_claims_rise_and_only_the_newest_writes(tmp_path: Path) -> None:
    store = ArtefactStore(tmp_path)
    assert [store.claim(*JOB) for _ in range(3)] == [1, 2, 3]
    for stale in (1, 2):
        with pytest.raises(StaleToken, match=f"attempt {stale} .* 3 took over"):
            store.write(*JOB, 10, b"late", attempt=stale)
    with pytest.raises(ValueError, match="never claimed"):
        store.write(*JOB, 10, b"x", attempt=4)
    assert store.lengths(*JOB) == []
    assert store.write(*JOB, 10, b"x", attempt=3).attempt == 3
    assert folders(store) == ["staging-000003"]


def test_another_job_has_its_own_numbers(tmp_path: Path) -> None:
    store = ArtefactStore(tmp_path)
    store.claim(*JOB)
    assert store.claim("critic", JOB[1]) == 1
    assert store.claim("behaviour", "f" * 16) == 1


@pytest.mark.faults
def test_racing_claims_are_distinct_and_one_publishes(
    tmp_path: Path, race: Any, count_faults: CountFaults
) -> None:
    store = ArtefactStore(tmp_path)

    def act(i: int) -> int:
        attempt = store.claim(*JOB)
        try:
            store.write(*JOB, 100, b"%d" % attempt, attempt=attempt)
        except StaleToken:
            return attempt + 100
        return attempt

    turns = scaled(12)
    for turn in range(turns):
        codes = race(8, act)
        first = 8 * turn + 1
        assert sorted(code % 100 for code in codes) == list(range(first, first + 8))
        newest = first + 7
        assert newest in codes  # the highest claim is never refused
        assert store.read(*JOB, 100) == b"%d" % newest
        assert folders(store) == [f"staging-{newest:06d}"]
    count_faults("race of writers", turns)


@pytest.mark.faults
def test_a_takeover_at_any_point_of_a_write_wins(tmp_path: Path, disk: Any) -> None:
    """However late the zombie's next step comes, it changes nothing after the takeover."""
    published = refused = 0
    for n in range(1, 500):
        store = ArtefactStore(tmp_path / str(n))
        old = store.claim(*JOB)
        for updates in (10, 20, 30):
            store.write(*JOB, updates, b"old", attempt=old)
        after: dict[str, bytes] = {}

        def take_over(
            name: str, args: tuple[Any, ...], store: Any = store, a: Any = after
        ) -> None:
            new = store.claim(*JOB)
            for updates in (40, 20):  # lengths that the zombie writes and prunes
                store.write(*JOB, updates, b"new", attempt=new)
            a.update(snapshot(store))

        with disk.at(n, take_over):
            try:
                store.write(*JOB, 40, b"zombie", attempt=old)
                published += 1
            except StaleToken:
                refused += 1
        if not disk.reached(n):
            break
        assert snapshot(store) == after
        assert store.read(*JOB, 40) == b"new" and store.read(*JOB, 20) == b"new"
    assert refused > 20 and published <= 3  # 1 without takeover, and after the last rename


def snapshot(store: ArtefactStore) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in store.folder(*JOB).iterdir()
        if path.is_file() and not path.name.startswith("attempt-")
    }


def test_a_claim_overtaken_at_any_point_never_publishes(tmp_path: Path, disk: Any) -> None:
    for n in range(1, 500):
        store = ArtefactStore(tmp_path / str(n))
        store.claim(*JOB)
        later: list[int] = []

        def overtake(name: str, args: tuple[Any, ...], store: Any = store, a: Any = later) -> None:
            a.append(store.claim(*JOB))
            store.write(*JOB, 10, b"newest", attempt=a[0])

        with disk.at(n, overtake):
            mine = store.claim(*JOB)
        if not disk.reached(n):
            break
        newest = max(mine, later[0])
        assert mine != later[0]
        assert folders(store) == [f"staging-{newest:06d}"]
        for attempt in (mine, later[0]):
            if attempt == newest:
                store.write(*JOB, 20, b"%d" % attempt, attempt=attempt)
            else:
                with pytest.raises(StaleToken):
                    store.write(*JOB, 20, b"%d" % attempt, attempt=attempt)
        assert store.read(*JOB, 10) == b"newest"
        assert store.read(*JOB, 20) == b"%d" % newest
    assert n > 10


@pytest.mark.faults
def test_every_crash_point_of_a_claim(tmp_path: Path, crash_points: Any) -> None:
    store = ArtefactStore(tmp_path)
    store.write(*JOB, 10, b"first", attempt=store.claim(*JOB))
    highest = 1
    for _ in crash_points(lambda: store.claim(*JOB)):
        assert store.read(*JOB, 10) == b"first"
        attempt = store.claim(*JOB)
        assert attempt > highest
        highest = attempt
        store.write(*JOB, 20, b"%d" % attempt, attempt=attempt)
        assert folders(store) == [f"staging-{attempt:06d}"]
        assert not list(store.folder(*JOB).glob(".*.tmp"))
    assert highest > 10


def test_a_stopped_process_blocks_nobody_and_wakes_up_stale(tmp_path: Path) -> None:
    store = ArtefactStore(tmp_path)
    zombie = os.fork()
    if zombie == 0:
        code = 1
        try:
            attempt = store.claim(*JOB)
            real = os.replace

            def stop(source: Any, target: Any) -> None:
                os.kill(os.getpid(), signal.SIGSTOP)
                real(source, target)

            os.replace = stop  # type: ignore[assignment]
            store.write(*JOB, 10, b"zombie", attempt=attempt)
        except StaleToken:
            code = 42
        finally:
            os._exit(code)
    # Once it is stopped: a signal to go on that came before would leave it stopped for ever.
    assert os.WIFSTOPPED(os.waitpid(zombie, os.WUNTRACED)[1])
    attempt = store.claim(*JOB)
    store.write(*JOB, 10, b"alive", attempt=attempt)
    os.kill(zombie, signal.SIGCONT)
    assert os.waitstatus_to_exitcode(os.waitpid(zombie, 0)[1]) == 42
    assert store.read(*JOB, 10) == b"alive"
