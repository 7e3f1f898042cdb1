"""How much a cluster adds to trials that only sleep: 200 of 10 s, eight at once, on four nodes.

    python benchmarks/cluster_trials.py [--trials 200] [--seconds 10] [--nodes 4]

The nodes are Ray's, all on this machine, with room for two workers each. The trials' method is a
program that sleeps, so all else is the platform's: trials, broker, workers, records, event files.
What is printed is JSON: seconds from the start of the first trial to the end of the last one, what
they would be with nothing added, what is on disk, and what the object stores hold.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from qipo_ray.store.intents import read_intents
from qipo_ray.store.records import read_records

WORKERS = 2  # of a node
METHOD = """\
from dataclasses import dataclass
from typing import Annotated

from qipo_ray.agent import own


@dataclass(frozen=True)
class Settings(own.Section):
    updates: Annotated[own.Count, own.Ours(1, "length of its training")]
    seconds: Annotated[own.Weight, own.Ours(10.0, "that it sleeps")]
    number: Annotated[own.Weight, own.Ours(0.5, "which trial it is")]


class Nap(own.ProgramMethod):
    name, title, settings = "nap", "nap", Settings
    train, act = ("python3", "nap_run.py", "train"), ("python3", "nap_run.py", "act")
"""
PROGRAM = """\
import json, os, sys, time

if sys.argv[1] == "train":
    time.sleep(json.loads(os.environ["QIPO_SETTINGS"])["seconds"])
    open(os.path.join(os.environ["QIPO_OUTPUT"], "slept"), "w").close()
else:
    states, actions = (int(os.environ[f"QIPO_{name}_DIM"]) for name in ("STATE", "ACTION"))
    while header := sys.stdin.buffer.read(4):
        count = int.from_bytes(header, "little")
        sys.stdin.buffer.read(4 * count * states)
        sys.stdout.buffer.write(header + bytes(4 * count * actions))
        sys.stdout.buffer.flush()
"""
SEARCH = """\
name: naps
tasks: [point]
preset: quickstart
set:
  policy.method: "nap:Nap"
  nap.updates: 1
  nap.seconds: {seconds}
  evaluation.episodes: 1
  evaluation.final_episodes: 1
space: {{nap.number: {{uniform: [0.1, 1.0]}}}}
trials: {trials}
seeds: {{search: [0], report: [100]}}
rungs: {{shares: [1], reduction: 3}}
confirm: {{top: 1}}
resources: {{workers: auto, cpus: 1, gpus: 0, slots: 1}}
"""


def sweep(folder: Path, trials: int, seconds: float, nodes: int) -> dict[str, Any]:
    """Run the sweep on a cluster of its own and return what it took."""
    from ray.cluster_utils import Cluster

    (folder / "nap.py").write_text(METHOD)
    (folder / "nap_run.py").write_text(PROGRAM)
    search = folder / "naps.yaml"
    search.write_text(SEARCH.format(trials=trials, seconds=seconds, workers=WORKERS * nodes))
    node = {"num_cpus": WORKERS, "object_store_memory": 100_000_000}
    head = {**node, "include_dashboard": True, "dashboard_port": None}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        for _ in range(nodes - 1):
            cluster.add_node(**node)
        line = [sys.executable, "-m", "qipo_ray", "sweep", str(search), "--results", str(folder)]
        began = time.monotonic()
        with (folder / "log").open("w") as log:
            code = subprocess.run(
                [*line, "--address", cluster.address, "--insecure-cluster"],
                stdout=log,
                stderr=subprocess.STDOUT,
            ).returncode
        whole = time.monotonic() - began
    finally:
        cluster.shutdown()
    if code:
        raise SystemExit((folder / "log").read_text()[:3000])
    return {"whole_s": round(whole, 1), **measured(folder / "naps")}


def measured(root: Path) -> dict[str, Any]:
    """Return the seconds of the search, and what is on disk, a trial."""
    records = [record for record in read_records(root) if record["purpose"] == "search"]
    starts = [datetime.fromisoformat(intent["written"]) for intent in read_intents(root)]
    ends = [datetime.fromisoformat(record["provenance"]["ended"]) for record in records]
    files = [path for path in root.rglob("*") if path.is_file()]
    return {
        "trials": len(records),
        "search_s": round((max(ends) - min(starts)).total_seconds(), 1),
        "files": len(files),
        "bytes": sum(path.stat().st_size for path in files),
        "event_bytes": sum(
            path.stat().st_size for path in files if path.name.startswith("events.out")
        ),
    }


def main() -> None:
    """Measure, with the numbers of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--nodes", type=int, default=4)
    chosen = parser.parse_args()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_AUTH_MODE"] = "disabled"  # of a cluster that only this process knows
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        took = sweep(Path(folder), chosen.trials, chosen.seconds, chosen.nodes)
    ideal = chosen.trials * chosen.seconds / (WORKERS * chosen.nodes)
    load = [round(load, 1), round(os.getloadavg()[0], 1)]
    over = round(100 * (took["search_s"] / ideal - 1), 1)
    took |= {"ideal_s": ideal, "over_percent": over, "load": load}
    print(json.dumps({**vars(chosen), **took}))


if __name__ == "__main__":
    main()
