"""Seconds from a folder of records to tables in every format, and to a report.

    python benchmarks/leaderboard.py [--records 10000]

The records are synthetic: ten tasks, several configurations, five seeds, written as the store
writes them. Every file is read and verified; nothing is kept between runs. The last line of each
part is the whole command, started anew: what a user waits for.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from synthetic_records import make_records

from qipo_ray.leaderboard import leaderboard
from qipo_ray.leaderboard.sweep_report import read_report
from qipo_ray.store.files import sealed
from qipo_ray.store.records import validate

TASKS = [
    f"{robot}-{data}-v2"
    for robot in ("hopper", "halfcheetah", "walker2d")
    for data in ("medium", "medium-replay", "medium-expert")
] + ["antmaze-umaze-v2"]
SEEDS = 5


def write_records(root: Path, count: int) -> None:
    """Write about so many records, without waiting for the disk as the store does."""
    folder = root / "records"
    folder.mkdir()
    for record in make_records(TASKS, count // (len(TASKS) * SEEDS), SEEDS, source="d4rl"):
        validate(record)
        (folder / f"{record['id']}.json").write_bytes(sealed(record))


def write_sweep(root: Path, count: int) -> None:
    """Write about so many records of a sweep: half of its configurations were only searched."""
    configs = count // (len(TASKS) * SEEDS) // 2
    (root / "records").mkdir(parents=True)
    (root / "sweep.yaml").write_text("space: {policy.beta: {}, behaviour.path: {}}\n")
    for purpose in ("search", "confirm"):
        for record in make_records(TASKS, configs, SEEDS, source="d4rl", purpose=purpose):
            (root / "records" / f"{record['id']}.json").write_bytes(sealed(record))


def timed(name: str, act: Callable[[], Any]) -> Any:
    """Return what ``act`` gives, and print its seconds of the processor and of the clock."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = act()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(f"{name:24} {cpu:6.2f} s CPU {wall:6.2f} s wall", flush=True)
    return result


def command(verb: str, root: Path) -> None:
    """Print the seconds of a verb in a process of its own."""
    line = [sys.executable, "-m", "qipo_ray", verb, str(root), "--output", str(root / verb)]
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(line, check=True, capture_output=True)
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - wall
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{'qipo-ray ' + verb:24} {cpu:6.2f} s CPU {wall:6.2f} s wall", flush=True)


def tables(root: Path) -> None:
    """Print the seconds of every part of the tables."""
    board = timed("read, verify, group", lambda: leaderboard([root], literature=True))
    timed("intervals", lambda: board.tables)
    documents = timed("md csv html tex json", board.documents)
    print(f"  {len(board.rows)} rows, {sum(map(len, documents.values())) / 1e6:.2f} MB")
    command("leaderboard", root)


def report(root: Path) -> None:
    """Print the seconds of every part of the report."""
    sweep_report = timed("read, verify", lambda: read_report(root))
    timed("draw", lambda: sweep_report.figure_groups)
    page = timed("write", sweep_report.html)
    print(f"  {len(page) / 1e6:.1f} MB")
    command("report", root)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=10_000)
    count = parser.parse_args().records
    with tempfile.TemporaryDirectory() as folder:
        timed("(make records)", lambda: write_records(Path(folder), count))
        tables(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        timed("(make a sweep)", lambda: write_sweep(Path(folder), count))
        report(Path(folder))


if __name__ == "__main__":
    main()
