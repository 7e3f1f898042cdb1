"""Seconds from a folder of records to tables in every format, and to a report.

    python benchmarks/leaderboard.py [--records 10000]

The records are synthetic: ten tasks, several configurations, five seeds, written as the store
writes them. Wall clock includes reading and verifying every file; nothing is kept between runs.
"""

from __future__ import annotations

import argparse
import runpy
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qipo_ray.leaderboard import leaderboard
from qipo_ray.leaderboard.huggingface import results_files
from qipo_ray.leaderboard.report import read_report
from qipo_ray.store.files import sealed
from qipo_ray.store.records import validate

BUILD = Path(__file__).parents[1] / "tests" / "conftest.py"
TASKS = [
    f"{robot}-{data}-v2"
    for robot in ("hopper", "halfcheetah", "walker2d")
    for data in ("medium", "medium-replay", "medium-expert")
] + ["antmaze-umaze-v2"]
SEEDS = 5


def write_records(root: Path, count: int) -> None:
    """Write about so many records, without waiting for the disk as the store does."""
    build = runpy.run_path(str(BUILD))["build_records"]
    folder = root / "records"
    folder.mkdir()
    for record in build(TASKS, count // (len(TASKS) * SEEDS), SEEDS, source="d4rl"):
        validate(record)
        (folder / f"{record['id']}.json").write_bytes(sealed(record))


def write_sweep(root: Path, count: int) -> None:
    """Write about so many records of a sweep: half of its configurations were only searched."""
    build = runpy.run_path(str(BUILD))["build_records"]
    configs = count // (len(TASKS) * SEEDS) // 2
    (root / "records").mkdir(parents=True)
    (root / "sweep.yaml").write_text("space: {policy.beta: {}, behaviour.path: {}}\n")
    for purpose in ("search", "confirm"):
        for record in build(TASKS, configs, SEEDS, source="d4rl", purpose=purpose):
            (root / "records" / f"{record['id']}.json").write_bytes(sealed(record))


def timed(name: str, act: Callable[[], Any]) -> Any:
    """Return what ``act`` gives, and print how long it took."""
    start = time.perf_counter()
    result = act()
    print(f"{name:24} {time.perf_counter() - start:6.2f} s")
    return result


def tables(root: Path) -> None:
    start = time.perf_counter()
    board = timed("read, verify, group", lambda: leaderboard([root], literature=True))
    timed("intervals", lambda: board.tables)
    documents = timed("md csv html tex json", board.documents)
    print(f"{'records to tables':24} {time.perf_counter() - start:6.2f} s, {len(board.rows)} rows")
    print(f"{'':24} {sum(map(len, documents.values())) / 1e6:6.2f} MB")
    timed("Hugging Face files", lambda: results_files(board.rows))


def report(root: Path) -> None:
    start = time.perf_counter()
    found = timed("read, verify", lambda: read_report(root))
    timed("draw", lambda: found.rooms)
    page = timed("write", found.html)
    print(
        f"{'records to report':24} {time.perf_counter() - start:6.2f} s, {len(page) / 1e6:.1f} MB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=10_000)
    count = parser.parse_args().records
    with tempfile.TemporaryDirectory() as folder:
        write_records(Path(folder), count)
        tables(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        write_sweep(Path(folder), count)
        report(Path(folder))


if __name__ == "__main__":
    main()
