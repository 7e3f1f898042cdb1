"""Seconds of `verify` for a sweep of many runs, with small files in place of weights.

    python benchmarks/verify.py [--records 10000]

The sweep is made by the builder of the tests, without waiting for the disk: one task, two search
seeds, two thirds of the trials stopped early, two confirmed configurations on five seeds.
"""

from __future__ import annotations

import argparse
import os
import random
import runpy
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from qipo_ray.verify import verify

TESTS = Path(__file__).parents[1] / "tests"
REPORT_SEEDS = (100, 101, 102, 103, 104)


def make(root: Path, count: int) -> None:
    """Write a complete sweep of about so many runs."""
    module = runpy.run_path(str(TESTS / "verify" / "conftest.py"))
    build = runpy.run_path(str(TESTS / "conftest.py"))["_build"]
    trials = max(3, (count - 2 * len(REPORT_SEEDS)) // 2)
    books: Any = module["Books"](root, build)
    text = module["SEARCH"].replace("trials: 4", f"trials: {trials}")
    text = text.replace("[100, 101]", str(list(REPORT_SEEDS))).replace("[1, 60]", "[1, 6000]")
    books.specify(text)
    dice, rungs, best = random.Random(0), 0, (0.0, 0.0)
    for number in range(trials):
        beta = 3.0 if number == 0 else 4.0 + number
        values = [dice.uniform(0, 50) for _ in range(1 if number % 3 else 2)]
        books.search(beta, values)
        rungs += len(values)
        if number and len(values) == 2:
            best = max(best, (values[-1], beta))
    for beta in (3.0, best[1]):
        for seed in REPORT_SEEDS:
            books.confirm(beta, seed, rungs * 2 * module["EPISODES"])
    books.tabulate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=10_000)
    count = parser.parse_args().records
    os.fsync = lambda descriptor: None
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "books"
        make(root, count)
        look(root)
        shutil.rmtree(root / "artefacts")
        look(root)


def look(root: Path) -> None:
    """Print the seconds of one verdict, which must be that all is well."""
    wall, cpu = time.perf_counter(), time.process_time()
    verdict = verify(root)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    assert not verdict.faults, verdict.faults[:3]
    print(
        f"{verdict.planned:,} runs, {verdict.files:,} weights: {cpu:.2f} s CPU, {wall:.2f} s wall",
        flush=True,
    )


if __name__ == "__main__":
    main()
