"""Seconds of `verify` for a sweep of many runs, with small files in place of weights.

    python benchmarks/verify.py [--records 10000]

The sweep is synthetic, written without waiting for the disk: one task, two search seeds, about
two thirds of the trials stopped early by the rule, two confirmed configurations on five seeds.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import tempfile
import time
from pathlib import Path

from synthetic_sweep import EPISODES, PAPER, SEARCH, SyntheticSweep

from qipo_ray.study.asha import decide
from qipo_ray.verify import verify

REPORT_SEEDS = (100, 101, 102, 103, 104)


def write_sweep(root: Path, count: int) -> None:
    """Write a complete sweep of about ``count`` runs."""
    trials = max(3, (count - 2 * len(REPORT_SEEDS)) // 2)
    text = SEARCH.replace("trials: 4", f"trials: {trials}")
    text = text.replace("[100, 101]", str(list(REPORT_SEEDS))).replace("[1, 60]", "[1, 6000]")
    sweep = SyntheticSweep(root)
    sweep.specify(text)
    dice, rungs, best = random.Random(0), 0, (0.0, 0.0)
    arrivals: list[tuple[str, float | None]] = []  # at the first rung
    for number in range(trials):
        beta = PAPER if number == 0 else 4.0 + number
        values = [dice.uniform(0, 50)]
        arrivals.append((sweep.trial(beta), values[0]))
        if not decide(arrivals, sweep.spec.reduction).stop:
            values.append(dice.uniform(0, 50))
        sweep.search(beta, values)
        rungs += len(values)
        if number and len(values) == 2:
            best = max(best, (values[-1], beta))
    for beta in (PAPER, best[1]):
        for seed in REPORT_SEEDS:
            sweep.confirm(beta, seed, rungs * 2 * EPISODES)
    sweep.tabulate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=10_000)
    count = parser.parse_args().records
    os.fsync = lambda descriptor: None
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "sweep"
        write_sweep(root, count)
        print_seconds(root)
        shutil.rmtree(root / "artefacts")
        print_seconds(root)


def print_seconds(root: Path) -> None:
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
