from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from qipo_ray.store.record_schema import RecordError
from qipo_ray.store.rung_log import RungLog


def entry(
    trial: int, rung: int = 0, value: float | None = 1.5, attempt: int = 1
) -> dict[str, Any]:
    return {
        "trial": f"{trial:012x}",
        "task": "point",
        "rung": rung,
        "updates": 100 * 3**rung,
        "value": value,
        "attempt": attempt,
        "at": "2026-01-01T00:00:00Z",
    }


@pytest.fixture
def log(tmp_path: Path) -> RungLog:
    return RungLog(tmp_path / "sweep" / "rungs.jsonl")


def test_entries_come_back_in_order_of_arrival(log: RungLog) -> None:
    assert log.read() == []
    lines = [entry(2), entry(1), entry(2, 1, None), entry(1, 1, -3.25)]
    for line in lines:
        log.append(line)
    assert log.read() == lines
    assert log.path.read_bytes().count(b"\n") == 4


def test_a_trial_and_rung_count_once(log: RungLog) -> None:
    for line in (entry(1, value=1.0), entry(1, value=2.0), entry(1, 1, value=3.0)):
        log.append(line)
    assert [line["value"] for line in log.read()] == [1.0, 3.0]


def test_a_driver_that_was_overtaken_is_not_heard(log: RungLog) -> None:
    log.append(entry(1, attempt=1))
    assert log.fence(2) == [entry(1, attempt=1)]
    log.append(entry(2, value=9.0, attempt=1))  # after the mark: too late
    log.append(entry(2, value=5.0, attempt=2))
    log.append(entry(3, attempt=1))
    assert log.read() == [entry(1, attempt=1), entry(2, value=5.0, attempt=2)]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"value": float("nan")}, "entry.value"),
        ({"value": float("inf")}, "entry.value"),
        ({"rung": -1}, "entry.rung"),
        ({"trial": "../x"}, "entry.trial"),
        ({"attempt": 0}, "entry.attempt"),
        ({"task": "a\nb"}, "entry.task"),
        ({"mark": "fence"}, "unknown field 'mark'"),
    ],
)
def test_a_wrong_field_is_named_before_anything_is_written(
    log: RungLog, changes: dict[str, Any], text: str
) -> None:
    with pytest.raises(RecordError, match=text.replace(".", r"\.")):
        log.append(entry(1) | changes)
    assert not log.path.exists()


def test_a_log_torn_at_any_byte_goes_on(log: RungLog) -> None:
    log.append(entry(1))
    first = log.path.stat().st_size
    log.append(entry(2))
    whole = log.path.read_bytes()
    aside = log.path.with_name("rungs.jsonl.torn")
    for size in range(first, len(whole), 7):
        log.path.write_bytes(whole[:size])
        assert log.read() == [entry(1)]
        assert log.fence(2) == [entry(1)]
        assert log.path.read_bytes().startswith(whole[:first] + b'{"attempt":2,')
        log.append(entry(3, attempt=2))
        assert log.read() == [entry(1), entry(3, attempt=2)]
        if size > first:
            assert aside.read_bytes().endswith(whole[first:size] + b"\n")


def test_a_torn_line_does_not_spoil_the_next(log: RungLog) -> None:
    log.append(entry(1))
    with open(log.path, "ab") as file:
        file.write(b'{"torn')
    log.append(entry(2))
    assert log.read() == [entry(1), entry(2)]


def test_a_damaged_line_is_left_out_alone(log: RungLog, caplog: pytest.LogCaptureFixture) -> None:
    for trial in range(3):
        log.append(entry(trial))
    sound = log.path.read_bytes()
    line = len(sound) // 3
    generator = random.Random(0)
    for place in range(line, 2 * line - 1):
        damaged = bytearray(sound)
        damaged[place] ^= 1 << generator.randrange(8)
        if damaged[place] in b"\n":
            continue
        log.path.write_bytes(damaged)
        caplog.clear()
        assert log.read() == [entry(0), entry(2)]
        assert "rungs.jsonl:2 is skipped" in caplog.text
    log.path.write_bytes(sound[:line] + b"[1]\n\xff\xfe\nnull\n\n" + sound[line:])
    assert log.read() == [entry(0), entry(1), entry(2)]


@pytest.mark.faults
def test_a_crash_at_any_call_keeps_what_was_there(
    log: RungLog, crash_points: Callable[[Callable[[], object]], Iterator[int]]
) -> None:
    log.append(entry(1))
    with open(log.path, "ab") as file:
        file.write(b'{"torn')
    start = log.path.read_bytes()

    def act() -> None:
        log.fence(2)
        log.append(entry(2, attempt=2))

    count = 0
    for n in crash_points(act):
        assert log.read() in ([entry(1)], [entry(1), entry(2, attempt=2)])
        act()
        assert log.read() == [entry(1), entry(2, attempt=2)]
        log.path.write_bytes(start)
        count = n
    assert count >= 8


def test_a_full_disk_is_an_error_and_no_entry(
    log: RungLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append(entry(1))
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda fd, data: real(fd, bytes(data)[:20]))
        with pytest.raises(OSError, match="only 20 of"):
            log.append(entry(2))
    assert log.read() == [entry(1)]
    log.append(entry(2))
    assert log.read() == [entry(1), entry(2)]


def test_lines_of_many_writers_do_not_mix(
    log: RungLog, race: Callable[[int, Callable[[int], int]], list[int]]
) -> None:
    def act(i: int) -> int:
        for k in range(20):
            log.append(entry(100 * i + k))
        return 0

    race(6, act)
    assert sorted(line["trial"] for line in log.read()) == sorted(
        f"{100 * i + k:012x}" for i in range(6) for k in range(20)
    )
