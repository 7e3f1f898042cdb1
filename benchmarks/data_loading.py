"""How fast and how large a data set loads: 2 million transitions at 17 dimensions, as D4RL packs.

    python benchmarks/data_loading.py [ROWS]

Prints, for a gzip-packed file of float32 and one of float64 columns, the seconds of the wall and
of the processor to load it, and the peak of memory as a multiple of the data's float32 size; the
process that reads the file counts with both, and its memory is printed as well. Then
the same for what a worker does: the first on a machine prepares the data, the next ones map them;
of these the memory is what they do not share, after every row was read.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np

ROWS, STATES, ACTIONS = 2_000_000, 17, 6
TASK = "halfcheetah-medium-v2"

LOAD = """
import os, sys, time
from pathlib import Path
import torch
from qipo_ray.data import inspector
from qipo_ray.data.load import load

def peak(pid="self"):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines if "VmHWM" in line)

before, wall, cpu = peak(), time.perf_counter(), sum(os.times()[:4])
data = load(sys.argv[1], sys.argv[2])
wall, after = time.perf_counter() - wall, peak()
reader = sum(peak(idle._process.pid) for idle in inspector._idle[os.getpid()])
inspector.close_idle()
cpu = sum(os.times()[:4]) - cpu
arrays = [value for value in vars(data).values() if hasattr(value, "nbytes")]
size = sum(4 * array.size for array in arrays)
print(f"{data.rows:,} rows, {size / 1e6:.0f} MB as float32: {wall:.2f} s, {cpu:.2f} CPU s, "
      f"peak {(after - before) / size:.2f} x and {reader / 1e6:.0f} MB of the reader's")
"""

WORK = """
import sys, time
from pathlib import Path
import torch
from qipo_ray.config import load_config
from qipo_ray.train.dataset import tensors_of
from qipo_ray.study.job import Run

def private():
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty")) * 1024

config = load_config("quickstart", [])
job = Run(sys.argv[1], config, 0, sys.argv[2], sys.argv[3]).jobs[0]
before, wall, cpu = private(), time.perf_counter(), time.process_time()
data = tensors_of(job, torch.device("cpu"))
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
tensors = [value for value in vars(data).values() if isinstance(value, torch.Tensor)]
assert all(value.double().sum().isfinite() for value in tensors)
size = sum(value.nbytes for value in tensors)
print(f"  {data.rows:,} rows, {size / 1e6:.0f} MB: {wall:.2f} s, {cpu:.2f} CPU s, "
      f"{(private() - before) / 1e6:.0f} MB of its own")
"""


def write(path: Path, rows: int, kind: str) -> None:
    """Write random rows as D4RL does: gzip, h5py's own chunks."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for key, width in (("observations", STATES), ("next_observations", STATES),
                           ("actions", ACTIONS)):  # fmt: skip
            column = file.create_dataset(key, (rows, width), kind, compression="gzip")
            for start in range(0, rows, 100_000):
                stop = min(start + 100_000, rows)
                values = rng.standard_normal((stop - start, width), np.float32)
                column[start:stop] = values
        rewards = rng.standard_normal(rows, np.float32)
        file.create_dataset("rewards", data=rewards.astype(kind), compression="gzip")
        ends = np.arange(rows) % 1000 == 999
        file.create_dataset("timeouts", data=ends, compression="gzip")
        file.create_dataset("terminals", data=np.zeros(rows, bool), compression="gzip")


def main() -> None:
    """Write, load in a process of its own, print."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("f4", "f8"):
            path = Path(folder) / f"{kind}.hdf5"
            write(path, rows, kind)
            size = path.stat().st_size / 1e6
            print(f"{kind}, {size:.0f} MB on disk: ", end="", flush=True)
            subprocess.run([sys.executable, "-c", LOAD, TASK, str(path)], check=True)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        for _ in range(3):
            command = [sys.executable, "-c", WORK, TASK, str(path), digest]
            subprocess.run(command, check=True, env={**os.environ, "QIPO_DATA": folder})


if __name__ == "__main__":
    main()
