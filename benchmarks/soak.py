"""A small sweep again and again under kills: memory and open files stay flat, the disk is bounded.

``python benchmarks/soak.py --minutes 30``. Each sweep is killed a few times at drawn moments in
processes of its own, and finished in this one, which lives on. Exit code 1 if what this process
holds grew, or a sweep's folder came to be larger than the first one's.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path
from statistics import mean

from qipo_ray.cli.main import main as command
from qipo_ray.sweep import run

SEARCH = """\
name: soak
tasks: [point]
preset: quickstart
set: {behaviour.width: 16, behaviour.blocks: 1, behaviour.updates: 100, critic.width: 16,
      critic.layers: 2, critic.updates: 100, critic.returns_updates: 100, policy.pool: 100,
      policy.support_size: 4, policy.renew_every: 60, policy.rounds: 1, sampler.evaluations: 4,
      evaluation.episodes: 3, evaluation.final_episodes: 4}
space: {policy.beta: {loguniform: [0.5, 20]}}
trials: 3
seeds: {search: [0], report: [100]}
rungs: {shares: [1/3, 1], reduction: 3}
confirm: {top: 1}
resources: {workers: 1, cpus: 1, gpus: 0, slots: 1}
"""
KILLS = 3  # of each sweep
GROWTH = 1.1  # of memory, from the first third of the sweeps, the very first left out, to the last
DISK = 1.05  # of the first finished sweep


def sweep(folder: Path) -> int:
    """Return the exit code of the sweep, without its report, whose figures take seconds."""
    options = ["--executor", "local", "--results", str(folder / "results")]
    with redirect_stdout(sys.stderr):
        return command(["sweep", str(folder / "soak.yaml"), *options])


def killed(folder: Path, seconds: float) -> None:
    """Begin or continue the sweep in a process that is killed after so many seconds."""
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        signal.setitimer(signal.ITIMER_REAL, seconds)
        os._exit(sweep(folder))
    os.waitpid(child, 0)


def held(folder: Path) -> dict[str, float]:
    """Return what this process holds now, and the size of the finished sweep."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    files = [path.stat().st_size for path in (folder / "results").rglob("*") if path.is_file()]
    return {
        "memory_mb": pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        "open_files": len(os.listdir("/proc/self/fd")),
        "disk_mb": sum(files) / 1e6,
        "temporary_files": len([*(folder / "results").rglob("*.tmp")]),
    }


def grown(seen: list[dict[str, float]]) -> list[str]:
    """Return what is larger at the end than it may be."""
    third = max(1, len(seen) // 3)
    first, last = seen[1 : 1 + third] or seen, seen[-third:]
    memory = [mean(one["memory_mb"] for one in part) for part in (first, last)]
    problems = []
    if memory[1] > GROWTH * memory[0]:
        problems.append(f"memory grew from {memory[0]:.0f} to {memory[1]:.0f} MB")
    if last[-1]["open_files"] > first[0]["open_files"]:
        problems.append("open files grew")
    if max(one["disk_mb"] for one in seen) > DISK * seen[0]["disk_mb"]:
        problems.append("a sweep's folder is larger than the first one's")
    if any(one["temporary_files"] for one in seen):
        problems.append("temporary files of killed writers were left")
    return problems


def main() -> int:
    """Soak for the minutes asked for; print what was seen as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    minutes = parser.parse_args().minutes
    dice, seen, kills, end = random.Random(0), [], 0, time.monotonic() + 60 * minutes
    run._report = lambda root, screen: None
    with tempfile.TemporaryDirectory() as place:
        os.environ["QIPO_DATA"] = place
        folder = Path(place)
        (folder / "soak.yaml").write_text(SEARCH)
        command(["data", "make", "point"])
        sweep(folder)  # all is imported before the first fork
        while time.monotonic() < end:
            shutil.rmtree(folder / "results")
            for _ in range(KILLS):
                killed(folder, dice.uniform(0.5, 4.0))
                kills += 1
            if sweep(folder) != 0:
                return 1
            seen.append(held(folder))
    problems = grown(seen)
    print(json.dumps({"sweeps": len(seen), "kills": kills, "first": seen[0], "last": seen[-1],
                      "problems": problems}, indent=2))  # fmt: skip
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
