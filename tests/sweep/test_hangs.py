"""Jobs whose environment never answers: ended and marked, and the others go on."""

from __future__ import annotations

from pathlib import Path

import pytest
from fixtures.fault_counts import CountFaults

from qipo_ray.cli.main import main
from qipo_ray.store.records import read_records
from qipo_ray.verify import verify

# The next step of a process that evaluates hangs, once.
HANGS = """

import ctypes
import itertools
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

MARK = Path(__file__).with_name("hang")


def step(self, action, whole=Reacher.step):
    scored = any(f.f_code.co_name == "score_state" for f in callers())
    if scored and MARK.exists():
        how = MARK.read_text()
        MARK.unlink()
        with suppress(ValueError):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while how == "loop":
            pass
        if how == "c":  # it neither looks for signals nor lets Python go on
            sum(itertools.repeat(0))
        ctypes.CDLL(None).sleep(600)
    return whole(self, action)


def callers():
    frame = sys._getframe()
    while frame is not None:
        yield frame
        frame = frame.f_back


Reacher.step = step
"""
SEARCH = """\
name: hangs
tasks: [reach.yaml]
preset: quickstart
set:
  behaviour.width: 16
  behaviour.updates: 60
  critic.width: 16
  critic.updates: 40
  critic.returns_updates: 40
  policy.pool: 100
  policy.rounds: 1
  policy.renew_every: 60
  sampler.evaluations: 4
  evaluation.episodes: 2
  evaluation.final_episodes: 2
  evaluation.timeout: 5
space: {policy.beta: {grid: [1, 5, 9]}}
trials: 3
seeds: {search: [0], report: [100]}
rungs: {shares: [1], reduction: 3}
confirm: {top: 1}
resources: {workers: WORKERS, cpus: 1, gpus: 0, slots: 1}
"""


@pytest.mark.faults
@pytest.mark.parametrize(("how", "workers"), [("loop", 1), ("sleep", 2), ("c", 2)])
def test_a_job_that_hangs_fails_alone(
    how: str,
    workers: int,
    reach: Path,
    without_report: None,
    capsys: pytest.CaptureFixture[str],
    count_faults: CountFaults,
) -> None:
    module, file = reach.with_name("reacher_env.py"), reach.with_name("search.yaml")
    module.write_text(module.read_text() + HANGS)
    module.with_name("hang").write_text(how)
    file.write_text(SEARCH.replace("WORKERS", str(workers)))
    line = ["sweep", str(file), "--executor", "local", "--results", str(file.parent)]
    assert main(line) == 0
    said = capsys.readouterr().err
    assert "took no step for 5 s" in said and "Traceback" not in said
    records = read_records(file.parent / "hangs")
    (failed,) = (record for record in records if record["state"] == "failed")
    assert failed["purpose"] == "search" and "evaluation.timeout" in failed["reason"]
    assert sum(record["state"] == "finished" for record in records) == 3  # one was confirmed
    assert verify(file.parent / "hangs").faults == ()
    count_faults("evaluation that never returns", 1)
