"""Lives of a training process: each is forked from a warm one, and may end by SIGKILL.

A script of its own, since a test process may hold threads that do not survive a fork. It reads a
line of JSON for each life and answers with a line. Moments are counted, not timed: every call and
return of a Python or C function is one, those between two parts of a write included.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qipo_ray.config import Config, load_config
from qipo_ray.data.load import load
from qipo_ray.data.transitions import Dataset
from qipo_ray.store.artefacts import ArtefactStore
from qipo_ray.study.job import Job
from qipo_ray.study.job_events import JobEvent
from qipo_ray.sweep import train_runs as runs
from qipo_ray.train import engine, runner
from qipo_ray.train.run_record import RunContext
from qipo_ray.train.runner import JobRunner

CONTEXT = RunContext("kills", None, "single", None, "a test", "2026-01-01T00:00:00+00:00")
LOG_EVERY = 10  # updates
STEP = 5  # updates between checkpoints
PART = 4096  # most bytes of one write


class Clock:
    """Counts the moments of each region; kills this process at moment ``at`` of ``region``."""

    def __init__(self, region: str | None = None, at: int = 0) -> None:
        self.region, self.at = region, at
        self.inside: set[str] = set()
        self.moments: dict[str, int] = {}

    def tick(self, *_: object) -> None:
        for region in self.inside:
            self.moments[region] += 1
        if self.region in self.inside and self.moments[self.region] == self.at:
            os.kill(os.getpid(), signal.SIGKILL)

    def enter(self, region: str) -> None:
        self.moments.setdefault(region, 0)
        self.inside.add(region)


clock = Clock()


def timed(function: Callable, region: Callable[..., str]) -> Callable:
    """Return ``function`` as a region of the clock; ``region`` names it from the arguments."""

    @functools.wraps(function)
    def inside(*args: Any, **more: Any) -> Any:
        name = region(*args, **more)
        clock.enter(name)
        try:
            return function(*args, **more)
        finally:
            clock.inside.discard(name)

    return inside


def prepare() -> None:
    """Let jobs log, save and write in small steps, and the clock see what they do."""
    runner.SAVE_EVERY_S = 0.0
    engine.LOG_EVERY = LOG_EVERY
    admit, write = JobRunner.admit, os.write

    def stage_begins(self: JobRunner, job: Job) -> list[JobEvent]:
        clock.inside = set()
        clock.enter(job.stage)
        return admit(self, job)

    JobRunner.admit = stage_begins  # type: ignore[method-assign]
    JobRunner.step = functools.partialmethod(JobRunner.step, STEP)  # type: ignore[assignment,method-assign]
    ArtefactStore.write = timed(  # type: ignore[method-assign]
        ArtefactStore.write, lambda self, stage, *_, **__: f"save {stage}"
    )
    runner.score_state = timed(runner.score_state, lambda *_, **__: "score")
    os.write = lambda file, part: write(file, part[:PART])


def live(root: Path, dataset: Dataset, config: Config) -> None:
    """Train a run, as ``qipo-ray train`` does."""
    todo = runs.plan_runs(dataset, config, [0], root, CONTEXT)
    sys.setprofile(clock.tick)
    runs.train_runs(todo, 1, lambda report: None)
    sys.setprofile(None)


def main() -> None:
    """Answer each order ``{root, settings, region, at}`` with ``{code, moments}``."""
    global clock
    dataset = load("point", sys.argv[1])
    prepare()
    with tempfile.TemporaryDirectory() as folder:  # all that is imported late is imported now
        live(Path(folder), dataset, load_config("quickstart", json.loads(sys.argv[2])))
    for line in sys.stdin:
        order = json.loads(line)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            clock = Clock(order["region"], order["at"])
            try:
                config = load_config("quickstart", order["settings"])
                live(Path(order["root"]), dataset, config)
                os.write(writer, json.dumps(clock.moments).encode())
            except BaseException:
                sys.excepthook(*sys.exc_info())
                os._exit(1)
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as pipe:
            moments = pipe.read()
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(json.dumps({"code": code, "moments": json.loads(moments or "{}")}), flush=True)


if __name__ == "__main__":
    main()
