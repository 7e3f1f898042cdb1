"""Search files; and what the tests with processes of their own share."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pytest

from qipo_ray.sweep import run

T = TypeVar("T")

TINY = """\
name: tiny
tasks: [point]
preset: quickstart
set:
  behaviour.width: 16
  behaviour.blocks: 1
  critic.width: 16
  critic.layers: 2
  critic.updates: 200
  critic.returns_updates: 200
  policy.pool: 100
  policy.support_size: 4
  policy.renew_every: 150
  sampler.evaluations: 4
  evaluation.every: 1000
  evaluation.episodes: 3
  evaluation.final_episodes: 4
space:
  behaviour.path: {grid: [ot, vp]}
  behaviour.updates: {choice: [800, 1000]}
  policy.beta: {loguniform: [0.5, 20]}
  policy.rounds: {int: [1, 2]}
paper: {critic.returns_updates: 0, behaviour.updates: 800, policy.loss_actions: 0}
trials: 5
seeds: {search: [0], report: [100]}
rungs: {shares: [1/9, 1/3, 1], reduction: 3}
confirm: {top: 1}
resources: {workers: 1, cpus: 1, gpus: 0, slots: 1}
"""
MARK = "QIPO_TEST_MARK"
LIMIT_S = 900.0  # for anything to happen on a loaded machine


@pytest.fixture(scope="session")
def tiny_search() -> str:
    """A search file whose sweep trains for some seconds; ``replace`` what is to differ."""
    return TINY


@pytest.fixture(scope="module")
def without_report() -> Iterator[None]:
    """Sweeps in this process end without drawing their report: that takes seconds each time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "_report", lambda root, screen: None)
        yield


@pytest.fixture(scope="module")
def marked_env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment for processes that a test starts, with a mark that their children inherit."""
    return os.environ | {MARK: str(tmp_path_factory.mktemp("mark"))}


@pytest.fixture(scope="module")
def marked(marked_env: dict[str, str]) -> Iterator[Callable[[], dict[int, str]]]:
    """Return the living processes with the mark and their commands; none survives the module."""
    mark = f"{MARK}={marked_env[MARK]}\0".encode()

    def alive() -> dict[int, str]:
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it is another user's, or has just ended
                if mark in (folder / "environ").read_bytes():
                    command = (folder / "cmdline").read_text().replace("\0", " ")
                    found[int(folder.name)] = command
        return found

    yield alive
    for pid in alive():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="session")
def eventually() -> Callable[[str, Callable[[], T]], T]:
    """Return a condition's value as soon as it is true; fail with ``what`` after a long time."""

    def poll(what: str, condition: Callable[[], T]) -> T:
        end = time.monotonic() + LIMIT_S
        while not (value := condition()):
            assert time.monotonic() < end, f"not seen in {LIMIT_S:.0f} s: {what}"
            time.sleep(0.02)
        return value

    return poll
