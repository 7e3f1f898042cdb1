"""Evaluations that never return: ended within the limit and a little, whatever holds them."""

from __future__ import annotations

import ctypes
import itertools
import os
import signal
import time
from pathlib import Path

import pytest
from fixtures.fault_counts import CountFaults

from qipo_ray.errors import Failure
from qipo_ray.evaluation import watchdog
from qipo_ray.evaluation.watchdog import was_ended, watched


def test_steps_keep_an_evaluation_alive(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGALRM)
    with watched(0.1, tmp_path / "stuck") as beat:
        for _ in range(15):
            time.sleep(0.01)
            beat()
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0) and not list(tmp_path.iterdir())
    assert was_ended(tmp_path / "stuck", 1) is None


@pytest.mark.faults
@pytest.mark.parametrize("hang", ["loop", "sleep", "c"])
def test_what_can_be_interrupted_fails(
    hang: str, tmp_path: Path, count_faults: CountFaults
) -> None:
    start = time.monotonic()
    with (
        pytest.raises(Failure, match=r"took no step for 0\.2 s .* evaluation\.timeout"),
        watched(0.2, tmp_path / "stuck"),
    ):
        if hang == "c":  # it lets Python go on beside it
            ctypes.CDLL(None).sleep(60)
        while True:
            time.sleep(60 if hang == "sleep" else 0)
    assert time.monotonic() - start < 5
    assert was_ended(tmp_path / "stuck", 1) is None
    count_faults("evaluation that never returns", 1)


@pytest.mark.faults
def test_what_cannot_be_interrupted_ends_its_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count_faults: CountFaults
) -> None:
    monkeypatch.setattr(watchdog, "GRACE_S", 0.1)
    stuck, start = tmp_path / "evaluation.stuck", time.monotonic()
    child = os.fork()
    if child == 0:
        try:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            with watched(0.1, stuck):
                sum(itertools.repeat(0))  # in C, which neither looks for signals nor yields
        finally:
            os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert time.monotonic() - start < 5
    told = was_ended(stuck, 0.1)
    assert told is not None and str(told).endswith(f"{tmp_path}/evaluation.told")
    assert "test_watchdog.py" in (tmp_path / "evaluation.told").read_text()
    assert was_ended(stuck, 0.1) is None
    count_faults("evaluation that never returns", 1)
