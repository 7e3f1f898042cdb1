from __future__ import annotations

import itertools
import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from fixtures.valid_records import put, record

from qipo_ray.errors import UserError
from qipo_ray.store.files import sealed
from qipo_ray.store.record_schema import RecordError
from qipo_ray.store.records import all_records, new_id, read_records, unique, write_record


def test_ids_depend_on_each_part() -> None:
    parts: list[Any] = ["first", "confirm", "point", "0" * 16, 0]
    others = ["second", "search", "other", "1" * 16, 1]
    ids = {new_id(*parts)}
    for i, other in enumerate(others):
        ids.add(new_id(*[*parts[:i], other, *parts[i + 1 :]]))
    assert len(ids) == 6 and all(len(i) == 16 and int(i, 16) >= 0 for i in ids)


def test_a_valid_record_is_written_and_read(tmp_path: Path) -> None:
    path = write_record(tmp_path, record())
    assert path == tmp_path / "records" / f"{record()['id']}.json"
    assert read_records(tmp_path) == [record()]
    assert json.loads(path.read_text())["task"] == "hopper-medium-replay-v2"


def test_equal_again_is_fine_and_different_is_refused(tmp_path: Path) -> None:
    path = write_record(tmp_path, record())
    before = path.read_bytes()
    assert write_record(tmp_path, record()) == path
    changed = put(record(), ("final", "last3"), 99.0)
    with pytest.raises(RecordError, match=r"record\.final: .* holds another value"):
        write_record(tmp_path, changed)
    assert path.read_bytes() == before
    with pytest.raises(RecordError):
        write_record(tmp_path, put(record(1), ("seed",), -1))
    assert len(list((tmp_path / "records").iterdir())) == 1


@pytest.mark.slow
def test_racing_writers_of_different_records(tmp_path: Path, race: Any) -> None:
    def act(i: int) -> int:
        try:
            write_record(tmp_path, put(record(), ("attempt",), i + 1))
        except RecordError:
            return 200
        return i

    codes = race(8, act)
    (winner,) = [code for code in codes if code != 200]
    (read,) = read_records(tmp_path)
    assert read["attempt"] == winner + 1


def test_many_sweeps_below_one_root(tmp_path: Path) -> None:
    for seed in range(3):
        write_record(tmp_path / "a", record(seed))
        write_record(tmp_path / "deep" / "b", record(seed, sweep="second"))
    (tmp_path / "a" / "artefacts" / "records").mkdir(parents=True)
    (tmp_path / "a" / "artefacts" / "records" / "x.json").write_text("{}")
    found = read_records(tmp_path)
    assert len(found) == 6 and [r["id"] for r in found] == sorted(r["id"] for r in found)
    assert len(read_records(tmp_path / "a")) == 3
    assert len(read_records(tmp_path / "a" / "records")) == 3


def test_a_run_counts_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_record(tmp_path / "a", record())
    shutil.copytree(tmp_path / "a", tmp_path / "copy")
    assert read_records(tmp_path) == [record()]
    assert len(all_records(tmp_path)) == 2
    again = put(record(), ("attempt",), 2)
    write_record(tmp_path / "z", again)
    assert read_records(tmp_path) == [again] and not caplog.records
    best = put(put(record(), ("attempt",), 3), ("final", "last3"), 99.0)
    write_record(tmp_path / "b", best)
    assert read_records(tmp_path) == [best]
    assert caplog.messages == [
        f"{record()['id']}: attempt {attempt} is left out, others are the numbers that count"
        for attempt in (1, 1, 2)
    ]


def test_of_several_copies_the_highest_attempt_stays_whatever_their_order() -> None:
    copies = [
        put(put(record(), ("attempt",), attempt), ("final", "last3"), last3)
        for attempt, last3 in ((1, 99.0), (2, 20.0), (2, 21.0), (1, 20.0))
    ]
    late = put(record(), ("provenance", "ended"), "2026-02-01T00:00:00Z")
    copies.append(put(late, ("final", "last3"), 98.0))
    for order in itertools.permutations(copies):
        found = unique(order)
        assert found.kept == [copies[2]]
        assert (found.copies, len(found.differing)) == (0, 4)
    assert unique([late, record()]).kept == unique([record(), late]).kept == [late]


def test_copies_with_the_same_numbers_are_only_counted(caplog: pytest.LogCaptureFixture) -> None:
    slower = put(record(), ("final", "action_latency_ms"), 9.0)
    assert unique([record(), slower, record()]).copies == 2
    assert unique([record(), slower]).differing == [] and not caplog.records


@pytest.mark.parametrize(
    "path", [("data", "sha256"), ("data", "source"), ("protocol", "physics")], ids=".".join
)
def test_runs_on_other_data_or_in_other_simulators_are_other_runs_though_they_share_an_id(
    tmp_path: Path, path: tuple[str, str]
) -> None:
    value = {"sha256": "d" * 64, "source": "generated", "physics": 2}[path[1]]
    other = put(record(), path, value)
    write_record(tmp_path / "a", record())
    write_record(tmp_path / "b", other)
    one, two = (each[path[0]].get(path[1]) for each in read_records(tmp_path))
    assert {one, two} == {record()[path[0]].get(path[1]), value}


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        read_records(tmp_path / "none")
    assert read_records(tmp_path) == []


def test_damaged_records_are_skipped_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths = [write_record(tmp_path, record(seed)) for seed in range(6)]
    paths[0].write_bytes(paths[0].read_bytes()[:-20])
    paths[1].write_bytes(b"")
    paths[2].write_bytes(paths[2].read_bytes().replace(b"37.5", b"97.5"))
    shutil.copy(paths[3], paths[4])
    (tmp_path / "records" / ("f" * 16 + ".json")).write_bytes(sealed({"schema": 1}))
    (tmp_path / "records" / ".x.tmp").write_bytes(b"half")
    assert {r["seed"] for r in read_records(tmp_path)} == {3, 5}
    for path in (*paths[:3], paths[4]):
        assert path.name in caplog.text
    assert "f" * 16 in caplog.text


def test_no_flipped_bit_and_no_cut_is_accepted(tmp_path: Path) -> None:
    path = write_record(tmp_path, record())
    good = path.read_bytes()
    dice = random.Random(0)
    for _ in range(200):
        bit = dice.randrange(8 * len(good))
        broken = bytearray(good)
        broken[bit // 8] ^= 1 << bit % 8
        path.write_bytes(broken)
        assert read_records(tmp_path) in ([], [record()])  # equal: only white space changed
    for end in range(0, len(good) - 1, 29):
        path.write_bytes(good[:end])
        assert read_records(tmp_path) == []


def test_a_link_to_nothing_is_named_and_no_record_waits_for_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Before, whoever wrote the record tried for ever."""
    path = tmp_path / "records" / f"{record()['id']}.json"
    path.parent.mkdir()
    path.symlink_to("nowhere")
    assert all_records(tmp_path) == [] and f"{path} is skipped" in caplog.text
    write_record(tmp_path, record())
    assert len(all_records(tmp_path)) == 1 and path.with_name(path.name + ".corrupt").is_symlink()


def test_a_damaged_record_is_written_anew(tmp_path: Path) -> None:
    path = write_record(tmp_path, record())
    path.write_bytes(path.read_bytes().replace(b"37.5", b"97.5"))
    assert write_record(tmp_path, record()) == path
    assert read_records(tmp_path) == [record()]
    assert path.with_name(path.name + ".corrupt").exists()


@pytest.mark.faults
def test_every_crash_point_of_a_record(tmp_path: Path, crash_points: Any) -> None:
    states = set()
    for n in crash_points(lambda: write_record(tmp_path, record())):
        found = read_records(tmp_path)
        assert found in ([], [record()])
        states.add(len(found))
        write_record(tmp_path, record())
        assert read_records(tmp_path) == [record()]
        if n < 50:
            shutil.rmtree(tmp_path / "records")
    assert states == {0, 1}


def test_an_older_record_of_a_run_stands_beside_one_with_a_later_part(tmp_path: Path) -> None:
    write_record(tmp_path, record())
    write_record(tmp_path, record(health=None))
    assert read_records(tmp_path) == [record()]
