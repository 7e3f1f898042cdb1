"""How fast `qipo-ray data make` is, and what comes out, for every task with a generator.

    python benchmarks/data_making.py [ROWS]

Prints rows per second of the processor, the mean return of an episode and its spread over the
file as a share of that mean.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from qipo_ray.data.load import load
from qipo_ray.evaluation.generate import GENERATORS, generate

ROWS = 20_000


def main() -> None:
    """Make each data set once and print a line about it."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    print(f"{'task':28} {'rows/CPU s':>10} {'return':>9} {'spread':>7}")
    with tempfile.TemporaryDirectory() as folder:
        for task in GENERATORS:
            path = Path(folder) / f"{task}.hdf5"
            began = time.process_time()
            generate(task, path, rows)
            speed = rows / (time.process_time() - began)
            data = load(task, path)
            returns = np.array([data.rewards[a:b].sum() for a, b in data.episodes])
            mean = float(returns.mean())
            spread = float(returns.std()) / abs(mean) if mean else float("nan")
            print(f"{task:28} {speed:10,.0f} {mean:9.1f} {spread:6.0%}")


if __name__ == "__main__":
    main()
