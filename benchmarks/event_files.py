"""How TensorBoard bears a large sweep: writes many runs' event files, then starts its server.

    python benchmarks/event_files.py [RUNS] [POINTS]

Prints the seconds to write and to read them (TensorBoard's own reader, one run after another), and
the seconds from the start of a real server until it lists every run and answers for one curve.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from qipo_ray.config import load_config
from qipo_ray.study.job import Run
from qipo_ray.tracking.loggers import LoggedRun, LogRow
from qipo_ray.tracking.tensorboard_logger import Page, TensorBoardLogger

TAGS = {
    "behaviour": ("loss", "updates_per_s"),
    "critic": ("loss", "q_data", "target", "support_q_std", "updates_per_s"),
    "policy": ("loss", "ess", "entropy", "top_weight", "support_q", "support_q_std"),
    "score": ("normalised", "return", "low", "high"),
}
PORT = 6099
LIMIT_S = 300.0


def write(root: Path, runs: int, points: int) -> None:
    """Write the event files of runs whose curves have some points each."""
    config = load_config("quickstart")
    Page(root / "tensorboard")
    rows = [
        LogRow(100 * i, 100 * i, {f"{stage}/{name}": float(i) for name in names})
        for stage, names in TAGS.items()
        for i in range(1, points + 1 if stage != "score" else 21)
    ]
    for number in range(runs):
        run = Run("point", config, number, "nowhere.hdf5", "a" * 64)
        logger = TensorBoardLogger(LoggedRun(root, ("point", f"{number:06d}", "search-0"), run))
        logger.write(rows)
        logger.close()


def read(root: Path) -> int:
    """Return how many scalars TensorBoard's reader finds."""
    count = 0
    for folder in sorted(root.glob("tensorboard/point/*/*")):
        events = EventAccumulator(str(folder), {"scalars": 0})
        events.Reload()
        count += sum(len(events.Scalars(tag)) for tag in events.Tags()["scalars"])
    return count


def serve(root: Path, runs: int) -> tuple[float, float]:
    """Return the seconds until a server lists all runs, and those of one curve after that."""
    program = str(Path(sys.executable).with_name("tensorboard"))
    line = [program, "--logdir", str(root / "tensorboard"), "--port", str(PORT)]
    start = time.monotonic()
    server = subprocess.Popen(line, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        listed = 0
        while listed < runs:
            if time.monotonic() - start > LIMIT_S:
                raise SystemExit(f"{listed} of {runs} runs after {LIMIT_S:.0f} s")
            time.sleep(0.2)
            try:
                listed = len(_get("data/plugin/scalars/tags"))
            except OSError:
                continue
        ready, again = time.monotonic() - start, time.monotonic()
        query = urllib.parse.urlencode({"run": "point/000000/search-0", "tag": "policy/ess"})
        assert _get(f"data/plugin/scalars/scalars?{query}")
        return ready, time.monotonic() - again
    finally:
        server.terminate()
        server.wait()


def _get(path: str) -> list[object]:
    with urllib.request.urlopen(f"http://localhost:{PORT}/{path}", timeout=60) as answer:
        content: list[object] = json.load(answer)
        return content


def main(runs: int = 1200, points: int = 500) -> None:
    """Write, read and serve; print what it took."""
    with tempfile.TemporaryDirectory() as name:
        root, start = Path(name), time.monotonic()
        write(root, runs, points)
        files = list(root.glob("tensorboard/**/events.*"))
        size = sum(file.stat().st_size for file in files) / 1e6
        print(f"{runs} runs, {len(files)} files, {size:.0f} MB: written in", end=" ")
        print(f"{time.monotonic() - start:.1f} s")
        start = time.monotonic()
        print(f"{read(root):,} scalars read in {time.monotonic() - start:.1f} s")
        ready, curve = serve(root, runs)
        print(f"server: all runs listed after {ready:.1f} s, one curve in {1000 * curve:.0f} ms")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
