"""How fast and how large `qipo-ray data import` is, beside Minari's own reading of the same set.

    python benchmarks/data_import.py [ROWS]

Needs Minari. For each of its formats, in processes of their own and by turns, three times: CPU
seconds to read every episode with Minari, and to import the set into a file; then the middle ratio
of the pairs, and the import's peak of memory as a multiple of the rows' float32 size (the process
that reads an HDF5 file is counted in CPU seconds, its memory beside).
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile

ROWS, STATES, ACTIONS, STEPS = 1_000_000, 17, 6, 1_000

WRITE = """
import sys, warnings
warnings.simplefilter("ignore")
import gymnasium, minari, numpy as np
form, rows, states, actions, steps = sys.argv[1], *map(int, sys.argv[2:])
rng = np.random.default_rng(0)

def episode():
    return minari.data_collector.EpisodeBuffer(
        observations=rng.normal(size=(steps + 1, states)),
        actions=rng.uniform(-1, 1, (steps, actions)).astype(np.float32),
        rewards=rng.normal(size=steps),
        terminations=np.zeros(steps, bool),
        truncations=np.arange(steps) == steps - 1,
        infos={"qpos": rng.normal(size=(steps + 1, 9))},
    )

def box(width, kind):
    return gymnasium.spaces.Box(-np.inf, np.inf, (width,), kind)

minari.create_dataset_from_buffers(
    f"own/{form}-v0", (episode() for _ in range(rows // steps)), data_format=form,
    observation_space=box(states, np.float64), action_space=box(actions, np.float32),
)
"""

MINARI = """
import os, sys, warnings
warnings.simplefilter("ignore")
import minari
rows = 0
cpu = sum(os.times()[:4])
for episode in minari.load_dataset(f"own/{sys.argv[1]}-v0"):
    rows += len(episode.rewards)
print(rows, sum(os.times()[:4]) - cpu)
"""

IMPORT = """
import os, sys
from pathlib import Path
from qipo_ray.data import inspector
from qipo_ray.data.imports.writer import import_data

def peak(pid="self"):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines if "VmHWM" in line)

before, cpu = peak(), sum(os.times()[:4])
source, path = f"minari:own/{sys.argv[1]}-v0", Path(sys.argv[2])
rows, _ = import_data(source, path, None, (), None, lambda done, total: None)
after = peak()
reader = sum(peak(idle._process.pid) for idle in inspector._idle.get(os.getpid(), []))
inspector.close_idle()
print(rows, sum(os.times()[:4]) - cpu, after - before, reader)
path.unlink()
"""


def run(script: str, *arguments: object) -> list[float]:
    """Return the numbers that a script prints."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [float(word) for word in printed.split()]


def main() -> None:
    """Write each set once, read it by turns, print."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    size = rows * 4 * (2 * STATES + ACTIONS + 1) + 2 * rows  # with next observations, two flags
    for form in ("hdf5", "arrow", "parquet"):
        with tempfile.TemporaryDirectory() as folder:
            os.environ["MINARI_DATASETS_PATH"] = folder
            run(WRITE, form, rows, STATES, ACTIONS, STEPS)
            pairs = []
            for _ in range(3):
                theirs, ours = run(MINARI, form), run(IMPORT, form, f"{folder}/own.hdf5")
                assert theirs[0] == ours[0] == rows
                pairs.append((theirs[1], *ours[1:]))
            ratio = statistics.median(own / other for other, own, *_ in pairs)
            memory = statistics.median(pair[2] for pair in pairs)
            seconds = "; ".join(f"{other:.2f} and {own:.2f}" for other, own, *_ in pairs)
            print(
                f"{form}: CPU s of Minari's reading and of the import {seconds}: {ratio:.2f} x; "
                f"memory {memory / size:.2f} x {size / 1e6:.0f} MB, and {pairs[0][3] / 1e6:.0f} "
                "MB of the reader's"
            )


if __name__ == "__main__":
    main()
