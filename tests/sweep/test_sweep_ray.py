"""A whole sweep on Ray, with kills in the middle, against the same sweep without Ray.

It is of a task of its user's own, whose environment is a module beside the task's file. What
trains where is not part of a specification. So all values can be compared, trial by trial.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fixtures.fault_counts import CountFaults
from fixtures.own_tasks import write_reach
from fixtures.search_files import stopped_at
from fixtures.shown_steps import every_step_is_shown_once

from qipo_ray.cli.main import main
from qipo_ray.store.intents import read_intents
from qipo_ray.store.records import read_records
from qipo_ray.store.rung_log import RungLog
from qipo_ray.verify import verify

pytestmark = [pytest.mark.ray, pytest.mark.faults]

LIMIT_S = 900.0
TRIALS, RUNGS, REDUCTION = 5, 3, 3
Eventually = Callable[[str, Callable[[], Any]], Any]
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture(scope="module")
def search(tiny_search: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The search file, beside the file of its task."""
    task, path = write_reach(tmp_path_factory.mktemp("search")), [*sys.path]
    file = task.with_name("tiny.yaml")
    file.write_text(tiny_search.replace("[point]", f"[{task.name}]"))
    yield file
    sys.modules.pop("reacher_env", None)
    sys.path[:] = path


@pytest.fixture(scope="module")
def start(
    search: Path,
    marked_env: dict[str, str],
    marked: object,  # ends what a failed test leaves
) -> Start:
    """Start a driver with one worker; its lines go to ``driver.log`` beside the sweep."""

    def run(results: Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "qipo_ray.sweep", str(search), "--results", str(results)]
        with (results / "driver.log").open("ab") as log:
            return subprocess.Popen(
                [*command, "--at-once", "1"], env=marked_env, stdout=log, stderr=subprocess.STDOUT
            )

    return run


@pytest.fixture(scope="module")
def local(without_report: None, search: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sweep without Ray, in this process."""
    results = tmp_path_factory.mktemp("local")
    options = ["--executor", "local", "--results", str(results)]
    assert main(["sweep", str(search), *options]) == 0
    return results / "tiny"


def ends_well(driver: subprocess.Popen[bytes], results: Path) -> None:
    assert driver.wait(LIMIT_S) == 0, (results / "driver.log").read_text()[-3000:]


def rungs(root: Path) -> list[tuple[str, int, int, float]]:
    log = RungLog(root / "rungs.jsonl").read()
    return [(e["trial"], e["rung"], e["updates"], e["value"]) for e in log]


def intents(root: Path) -> list[dict[str, Any]]:
    return [{k: v for k, v in one.items() if k != "written"} for one in read_intents(root)]


def records(root: Path) -> list[dict[str, Any]]:
    """The records without what the clock, the machine and the command say.

    Episodes spent depend on the clock, too: a job may run ahead before its trial is stopped.
    """
    found = read_records(root)
    for record in found:
        del record["protocol"]["selection_episodes"]
        del record["cost"], record["attempt"], record["final"]["action_latency_ms"]
        for name in ("started", "ended", "command", "hardware"):
            del record["provenance"][name]
    return found


def every_trial_ended_once(root: Path) -> None:
    """Check a whole sweep: each trial, rung and run once, and as the rule says."""
    assert verify(root).faults == ()
    tried = read_intents(root)
    assert len(tried) == len({one["config_hash"] for one in tried}) == TRIALS
    log = RungLog(root / "rungs.jsonl").read()
    assert set(Counter((e["trial"], e["rung"]) for e in log).values()) == {1}
    stopped = stopped_at(log, {one["id"]: RUNGS for one in tried}, REDUCTION)
    search, confirmed = [], []
    for record in read_records(root):
        (search if record["purpose"] == "search" else confirmed).append(record)
    assert Counter(record["trial"] for record in search) == {one["id"]: 1 for one in tried}
    for record in search:
        rung = stopped[record["trial"]]
        assert record["state"] == ("finished" if rung is None else "pruned")
        assert record["reached"]["rung"] == (RUNGS - 1 if rung is None else rung)
    assert {record["state"] for record in confirmed} == {"finished"}
    assert Counter((r["label"]["method"], r["label"]["name"]) for r in confirmed) == {
        ("QIPO-OT", "paper form"): 1,
        ("QIPO-OT", "search, best"): 1,
        ("QIPO-Diff", "search, best"): 1,
    }


def test_a_killed_worker_and_a_killed_driver_lose_nothing(
    start: Start,
    search: Path,
    local: Path,
    tmp_path: Path,
    eventually: Eventually,
    marked: Callable[[], dict[int, str]],
    capsys: pytest.CaptureFixture[str],
    count_faults: CountFaults,
) -> None:
    """One worker, killed, and its driver, killed: all is as this process gives it, unbroken."""
    root = tmp_path / "tiny"
    first = start(tmp_path)
    eventually("the lease", lambda: list(root.glob("driver/*.json")))
    line = ["sweep", str(search), "--results", str(tmp_path)]
    assert main([*line, "--executor", "local"]) == 2
    told = f"error: {root} is driven by process {first.pid} on host "
    assert capsys.readouterr().err.startswith(told)

    job = eventually("a job in mid-training", lambda: in_training(root))
    worker = json.loads((job / "attempt-000001").read_text())["pid"]
    assert worker in marked() and worker != first.pid
    os.kill(worker, signal.SIGKILL)
    eventually("its job again", lambda: (job / "attempt-000002").exists())
    assert json.loads((job / "attempt-000002").read_text())["pid"] != worker

    eventually("a second rung", lambda: len(rungs(root)) >= 2)
    assert first.poll() is None
    first.kill()
    first.wait()
    log = rungs(root)
    done = {path: path.read_bytes() for path in root.glob("records/*.json")}
    ends_well(start(tmp_path), tmp_path)
    assert f"taking over from process {first.pid}" in (tmp_path / "driver.log").read_text()
    assert rungs(root)[: len(log)] == log
    assert {path: path.read_bytes() for path in done} == done

    every_trial_ended_once(root)
    every_step_is_shown_once(root)
    assert intents(root) == intents(local)
    assert rungs(root) == rungs(local)
    assert records(root) == records(local)
    eventually("the end of all processes", lambda: not marked())
    count_faults("death on a Ray cluster", 2)


def in_training(root: Path) -> Path | None:
    """Return the folder of a job that has trained some updates and has no snapshot yet."""
    for metrics in root.glob("artefacts/behaviour-*/metrics.csv"):
        if not list(metrics.parent.glob("*.pt")):
            return metrics.parent
    return None
