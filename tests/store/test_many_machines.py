"""One folder, many writers and readers, no server: as on storage that machines share."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Callable
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import pytest
from fixtures.fault_counts import CountFaults

from qipo_ray.store.records import read_records, write_record

WRITERS, READERS, READS = 8, 4, 5_000
Records = list[dict[str, Any]]

pytestmark = pytest.mark.faults


def write(root: Path, records: Records, done: Synchronized[int]) -> None:
    """Write all records in an order of its own; others write the same ones meanwhile."""
    for record in records:
        write_record(root, record)
    with done.get_lock():
        done.value += 1


def read(root: Path, known: dict[str, dict[str, Any]], done: Synchronized[int], out: Any) -> None:
    """Read the folder until enough is read and all is written; report what was lost or wrong."""
    reads, bad = 0, []
    while reads < READS / READERS or done.value < WRITERS:
        there = {path.stem for path in (root / "records").glob("[!.]*.json")}
        found = {record["id"]: record for record in read_records(root)}
        reads += len(found)
        bad += [f"{name} is lost" for name in there - found.keys()]
        bad += [f"{name} has another value" for name in found if found[name] != known.get(name)]
    out.put((reads, bad))


def test_eight_writers_and_four_readers(
    tmp_path: Path, make_records: Callable[..., Records], count_faults: CountFaults
) -> None:
    records = make_records(["hopper-medium-v2", "walker2d-medium-v2"], 10, 10)
    known = {record["id"]: record for record in records}
    (tmp_path / "records").mkdir()
    context = multiprocessing.get_context("spawn")
    done, out = context.Value("i", 0), context.Queue()
    writers = []
    for number in range(WRITERS):  # every record has two writers, in different orders
        some = records[number::WRITERS] + records[(number + 1) % WRITERS :: WRITERS]
        random.Random(number).shuffle(some)
        writers.append(context.Process(target=write, args=(tmp_path, some, done)))
    readers = [
        context.Process(target=read, args=(tmp_path, known, done, out)) for _ in range(READERS)
    ]
    start = time.monotonic()
    for process in (*readers, *writers):
        process.start()
    results = [out.get(timeout=300) for _ in readers]
    for process in (*readers, *writers):
        process.join(timeout=60)
        assert process.exitcode == 0
    reads, bad = sum(result[0] for result in results), [b for result in results for b in result[1]]
    assert not bad
    assert reads >= READS
    assert {record["id"]: record for record in read_records(tmp_path)} == known
    left = {path.name for path in (tmp_path / "records").iterdir()}
    assert left == {f"{identity}.json" for identity in known}
    count_faults("writer or reader at once", WRITERS + READERS)
    print(f"{len(known)} records, {reads} reads in {time.monotonic() - start:.1f} s")
