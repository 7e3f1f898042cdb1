"""Sweeps whose processes die, and a driver that is stopped: nothing ends that did not end."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from qipo_ray.api import Sweep
from qipo_ray.cli.main import main
from qipo_ray.data.transitions import Dataset
from qipo_ray.errors import Failure, UserError
from qipo_ray.leaderboard import leaderboard
from qipo_ray.store.records import read_records
from qipo_ray.study.saved_spec import FILE
from qipo_ray.study.search_file import load_search_file
from qipo_ray.study.trial import TrialOutcome
from qipo_ray.sweep.executors import SweepRun
from qipo_ray.sweep.run import Options, check_start, run_sweep
from qipo_ray.sweep.trial_runner import TrialRunner
from qipo_ray.train import job_queue
from qipo_ray.train.run_record import RunContext
from qipo_ray.verify import verify

CONTEXT = RunContext("tiny", None, "search", None, "qipo-ray sweep", "2026-01-01T00:00:00+00:00")


def test_workers_that_never_fit_are_refused_before_anything_is_there(
    point: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """On this machine; `test_elastic_sweep.py` has the same with ``--address``."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if "ray" in sys.modules:  # another test's cluster may be there
        monkeypatch.setattr(sys.modules["ray"], "is_initialized", lambda: False)
    monkeypatch.setattr(SweepRun, "on_ray", lambda *_: pytest.fail("Ray was started"))
    search = tmp_path / "tiny.yaml"
    text = Path(__file__).with_name("tiny.yaml").read_text()
    search.write_text(text.replace("workers: 1", "workers: 999"))
    results = tmp_path / "R"
    line = ["sweep", str(search), "--data", str(point.path), "--results", str(results)]
    assert main([*line, "--executor", "ray"]) == 2
    assert re.search(
        "^error: resources: 999 workers x .*, but this machine has .*: room for .*$",
        capsys.readouterr().err,
    )
    with pytest.raises(UserError, match="999 workers"):
        Sweep.from_yaml(search, data=str(point.path)).run(results, executor="ray")
    assert not results.exists()

    results.mkdir()
    (results / FILE).touch()  # a sweep that is there may be complete
    check_start(Options("ray", False, None, None), load_search_file(search), results)


@pytest.mark.faults
def test_a_trial_whose_processes_die_has_no_end_and_is_tried_again(
    point: Dataset, without_report: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, advance, killed = tmp_path / "R", TrialRunner.advance, []
    spec = load_search_file(Path(__file__).with_name("tiny.yaml"))
    two = replace(spec, resources=replace(spec.resources, workers=2))

    def sweep() -> None:
        options = Options("local", False, None, None)
        run_sweep(two, root, {"point": point}, CONTEXT, options, Mock())

    def kill_all_once(self: TrialRunner) -> TrialOutcome | None:
        if not killed:
            killed.extend(multiprocessing.active_children())
            for process in killed:
                process.kill()
        return advance(self)

    with monkeypatch.context() as patch:
        patch.setattr(job_queue, "SETBACKS", 1)
        patch.setattr(TrialRunner, "advance", kill_all_once)
        with pytest.raises(Failure, match=r"\d of 6 trials .* \(its process ended with code -9"):
            sweep()
    records = read_records(root)
    assert {record["purpose"] for record in records} == {"search"}
    assert {record["state"] for record in records} <= {"finished", "pruned"}
    (line,) = leaderboard([root]).open_searches
    ended = len({record["trial"] for record in records})
    assert line.startswith(f"tiny: {ended} of 6 planned trials of point have ended")
    sweep()
    assert leaderboard([root.parent]).open_searches == ()
    assert verify(root).faults == ()
    assert {record["purpose"] for record in read_records(root)} == {"search", "confirm"}


@pytest.mark.ray
@pytest.mark.faults
def test_a_driver_on_ray_that_is_stopped_leaves_at_once(
    tiny_search: str,
    marked_env: dict[str, str],
    marked: Callable[[], dict[int, str]],
    eventually: Callable[[str, Callable[[], Any]], Any],
    tmp_path: Path,
) -> None:
    """Ctrl-C goes to the whole group of processes."""
    (tmp_path / "tiny.yaml").write_text(tiny_search)
    command = [sys.executable, "-m", "qipo_ray.sweep", "tiny.yaml", "--results", "."]
    with (tmp_path / "screen").open("w") as screen:
        driver = subprocess.Popen(
            command, cwd=tmp_path, env=marked_env, start_new_session=True,
            stdout=screen, stderr=subprocess.STDOUT,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # as in a foreground
        )  # fmt: skip
    said = (tmp_path / "screen").read_text
    eventually("the search", lambda: "memory of point" in said() or driver.poll() is not None)
    os.killpg(driver.pid, signal.SIGINT)
    assert driver.wait(60) == 130
    *_, last = lines = said().splitlines()
    assert last == "Stopped; the same command continues"
    assert f"what Ray says goes to {tmp_path / 'tiny' / 'ray' / 'driver.log'}" in lines[-4]
    assert lines[-3].startswith("memory of point") and len(lines) <= 5
    eventually("the end of all processes", lambda: not marked())
