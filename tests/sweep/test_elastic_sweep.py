"""A sweep on a cluster whose machines come and go: its workers follow, and nothing is lost."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fixtures.fault_counts import CountFaults
from fixtures.shown_steps import every_step_is_shown_once

from qipo_ray.store.intents import read_intents
from qipo_ray.store.records import read_records
from qipo_ray.verify import verify

pytestmark = [pytest.mark.ray, pytest.mark.faults]

LIMIT_S = 900.0
TRIALS = 8
Eventually = Callable[[str, Callable[[], Any]], Any]


@pytest.fixture
def cluster(private_home: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head without CPUs, and whatever machines a test adds, all on this one."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    # Without a port given the dashboard takes the next free one.
    head = {"num_cpus": 0, "include_dashboard": True, "dashboard_port": None}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    yield cluster
    cluster.shutdown()


@pytest.fixture
def driver(
    cluster: Any,
    marked_env: dict[str, str],
    marked: object,  # ends what a failed test leaves
    tiny_search: str,
    tmp_path: Path,
) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Start a sweep that takes what workers there is room for."""
    search = tmp_path / "tiny.yaml"
    longer = tiny_search.replace("choice: [800, 1000]", "choice: [3000, 4000]")
    longer = longer.replace("behaviour.updates: 800", "behaviour.updates: 3000")
    longer = longer.replace("trials: 5", f"trials: {TRIALS}")
    search.write_text(longer.replace("workers: 1", "wait: true, workers: auto"))

    def start() -> subprocess.Popen[bytes]:
        line = [sys.executable, "-m", "qipo_ray.sweep", str(search), "--results", str(tmp_path)]
        line += ["--address", cluster.address, "--insecure-cluster"]
        with (tmp_path / "driver.log").open("ab") as log:
            return subprocess.Popen(line, env=marked_env, stdout=log, stderr=subprocess.STDOUT)

    yield start


def take_away(cluster: Any, node: Any) -> None:
    """Give notice that a machine is to be taken away in ten minutes."""
    from ray._raylet import GcsClient
    from ray.core.generated.autoscaler_pb2 import DrainNodeReason

    reason = DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
    deadline_ms = int(time.time() * 1000) + 600_000
    accepted, why = GcsClient(cluster.address).drain_node(node.node_id, reason, "", deadline_ms)
    assert accepted, why


def test_machines_come_and_go_and_every_trial_ends_once(
    cluster: Any,
    driver: Callable[[], subprocess.Popen[bytes]],
    tmp_path: Path,
    eventually: Eventually,
    count_faults: CountFaults,
) -> None:
    """One comes, one is lost, one comes in its place, and one is taken away after a notice."""
    root, sweep = tmp_path / "tiny", driver()

    def said(text: str) -> Any:
        def look() -> bool:
            log = (tmp_path / "driver.log").read_text()
            assert sweep.poll() is None, log[-3000:]
            return text in log

        return eventually(text, look)

    def pids() -> list[int]:
        """Return the processes of all attempts, in order of their start."""
        paths = sorted(root.glob("artefacts/*/attempt-*"), key=lambda path: path.stat().st_mtime)
        return [json.loads(path.read_text())["pid"] for path in paths]

    eventually("a worker that waits for a machine", lambda: list(root.glob("ray/tiny-*")))
    first = cluster.add_node(num_cpus=1)
    eventually("a job in training", pids)
    second = cluster.add_node(num_cpus=1)
    said("the cluster has room for 2 workers now, 1 before")
    eventually("a second worker", lambda: len(set(pids())) >= 2)
    cluster.remove_node(first, allow_graceful=False)
    said("worker-0: its machine is gone; its jobs go on elsewhere")
    cluster.add_node(num_cpus=1)
    eventually("the first worker again", lambda: len(set(pids())) >= 3)
    take_away(cluster, second)
    said("worker-1: its machine is to be taken away; its jobs go on elsewhere")
    cluster.remove_node(second, allow_graceful=False)
    assert sweep.wait(LIMIT_S) == 0, (tmp_path / "driver.log").read_text()[-3000:]

    assert verify(root).faults == ()
    tried, records = read_intents(root), read_records(root)
    searched = Counter(r["trial"] for r in records if r["purpose"] == "search")
    assert searched == {intent["id"]: 1 for intent in tried} and len(tried) == TRIALS
    assert {record["state"] for record in records} <= {"finished", "pruned"}
    every_step_is_shown_once(root)
    count_faults("death on a Ray cluster", 2)
