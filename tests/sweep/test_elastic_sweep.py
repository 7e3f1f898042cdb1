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
from qipo_ray.store.rung_log import RungLog
from qipo_ray.verify import verify

pytestmark = [pytest.mark.ray, pytest.mark.slow]

LIMIT_S = 900.0
TRIALS = 8
Eventually = Callable[[str, Callable[[], Any]], Any]
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture(scope="module")
def cluster(private_home: None) -> Iterator[Any]:
    """A head without CPUs, and whatever machines the tests add, all on this one."""
    from ray.cluster_utils import Cluster

    # Without a port given the dashboard takes the next free one.
    head = {"num_cpus": 0, "include_dashboard": True, "dashboard_port": None}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        cluster = Cluster(initialize_head=True, head_node_args=head)
        yield cluster
        cluster.shutdown()


@pytest.fixture
def start(cluster: Any, marked_env: dict[str, str]) -> Iterator[Start]:
    """A function that starts a driver in a folder; its lines go to ``driver.log`` there."""
    drivers = []

    def start(folder: Path, search: str, *options: str) -> subprocess.Popen[bytes]:
        folder.mkdir(exist_ok=True)
        (folder / "tiny.yaml").write_text(search)
        line = [sys.executable, "-m", "qipo_ray.sweep", str(folder / "tiny.yaml"), *options]
        line += ["--results", str(folder), "--address", cluster.address, "--insecure-cluster"]
        with (folder / "driver.log").open("ab") as log:
            drivers.append(
                subprocess.Popen(line, env=marked_env, stdout=log, stderr=subprocess.STDOUT)
            )
        return drivers[-1]

    yield start
    for driver in drivers:  # those of a failed test
        driver.kill()
        driver.wait()


def said_by(folder: Path) -> str:
    return (folder / "driver.log").read_text()


def ends_well(sweep: subprocess.Popen[bytes], root: Path) -> None:
    """Check that every trial has ended once, and that each step is shown once."""
    assert sweep.wait(LIMIT_S) == 0, said_by(root.parent)[-3000:]
    assert verify(root).faults == ()
    records = read_records(root)
    searched = Counter(r["trial"] for r in records if r["purpose"] == "search")
    assert searched == {intent["id"]: 1 for intent in read_intents(root)}
    assert {record["state"] for record in records} <= {"finished", "pruned"}
    every_step_is_shown_once(root)


def test_workers_that_never_fit_leave_nothing_behind(
    start: Start, tiny_search: str, tmp_path: Path
) -> None:
    """The head has no CPU; it is asked before there is a lease, a folder or a connection."""
    assert start(tmp_path, tiny_search).wait(LIMIT_S) == 2
    *_, last = said_by(tmp_path).splitlines()
    assert "error: resources: 1 worker x 1 CPU = 1 CPU, but the cluster at" in last
    assert "has 0 CPUs: room for 0;" in last and "starting the training" not in said_by(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"tiny.yaml", "driver.log"}


def asked_for(address: str) -> list[dict[str, float]]:
    """Return what waits for room, as the head tells it to whatever autoscaler there is."""
    from ray.autoscaler.v2.sdk import get_cluster_status

    groups = get_cluster_status(address).resource_demands.placement_group_demand
    return [part.bundle for group in groups for part in group.bundles_by_count]


def take_away(cluster: Any, node: Any) -> None:
    """Give notice that a machine is to be taken away in ten minutes."""
    from ray._raylet import GcsClient
    from ray.core.generated.autoscaler_pb2 import DrainNodeReason

    reason = DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
    deadline_ms = int(time.time() * 1000) + 600_000
    accepted, why = GcsClient(cluster.address).drain_node(node.node_id, reason, "", deadline_ms)
    assert accepted, why


@pytest.mark.faults
def test_machines_come_and_go_and_every_trial_ends_once(
    cluster: Any,
    start: Start,
    tiny_search: str,
    tmp_path: Path,
    eventually: Eventually,
    count_faults: CountFaults,
) -> None:
    """One comes, one is lost, one comes in its place, and one is taken away after a notice."""
    longer = tiny_search.replace("choice: [800, 1000]", "choice: [3000, 4000]")
    longer = longer.replace("behaviour.updates: 800", "behaviour.updates: 3000")
    longer = longer.replace("trials: 5", f"trials: {TRIALS}")
    sweep = start(tmp_path, longer.replace("workers: 1", "wait: true, workers: auto"))
    root = tmp_path / "tiny"

    def said(text: str) -> Any:
        def look() -> bool:
            assert sweep.poll() is None, said_by(tmp_path)[-3000:]
            return text in said_by(tmp_path)

        return eventually(text, look)

    def pids() -> list[int]:
        """Return the processes of all attempts, in order of their start."""
        paths = sorted(root.glob("artefacts/*/attempt-*"), key=lambda path: path.stat().st_mtime)
        return [json.loads(path.read_text())["pid"] for path in paths]

    eventually("a worker that waits for a machine", lambda: list(root.glob("ray/tiny-*")))
    eventually("that an autoscaler is asked", lambda: {"CPU": 0.9} in asked_for(cluster.address))
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
    ends_well(sweep, root)
    assert len(read_intents(root)) == TRIALS
    count_faults("death on a Ray cluster", 2)


def test_two_sweeps_of_one_name_share_a_cluster_and_nothing_else(
    cluster: Any, start: Start, tiny_search: str, tmp_path: Path
) -> None:
    """Each takes half of the room, and finds what the other finds."""
    cluster.add_node(num_cpus=2)
    search = tiny_search.replace("workers: 1", "max_share: 0.5, workers: auto")
    search = search.replace("trials: 5", "trials: 3")
    roots = [tmp_path / name / "tiny" for name in ("one", "other")]
    sweeps = [start(root.parent, search, "--at-once", "1") for root in roots]
    for sweep, root in zip(sweeps, roots, strict=True):
        ends_well(sweep, root)
    logs = [RungLog(root / "rungs.jsonl").read() for root in roots]
    one, other = ([(line["trial"], line["value"]) for line in log] for log in logs)
    assert one == other
    services = [{path.name for path in root.glob("ray/tiny-*")} for root in roots]
    assert all(services) and services[0].isdisjoint(services[1])
