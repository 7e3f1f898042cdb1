"""The service on this machine: in this process, and in processes that are killed."""

from __future__ import annotations

import doctest
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qipo_ray.study.job import Run
from qipo_ray.study.job_events import JobEvent
from qipo_ray.train import job_queue, training_service
from qipo_ray.train.job_store import JobStore
from qipo_ray.train.local_service import LocalTrainingService
from qipo_ray.train.local_workers import ProcessWorker
from qipo_ray.train.training_service import EVERYONE, TrainingService

MakeRun = Callable[..., Run]


def hear_out(service: TrainingService, subscriber: str, run: Run) -> list[JobEvent]:
    """Ask for news until the run's policy has ended."""
    reports: list[JobEvent] = []
    while not any(r.topic == ("end", run.jobs[-1].snapshot) for r in reports):
        reports += service.poll(subscriber)
    return reports


def ends(reports: list[JobEvent]) -> list[tuple[str, str]]:
    return [(r.snapshot.stage, r.kind) for r in reports if r.lasting and r.kind != "score"]


WHOLE = [("behaviour", "finished"), ("critic", "finished"), ("policy", "finished")]


@pytest.mark.slow
def test_a_run_is_trained_and_told(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    with LocalTrainingService(tmp_path) as service:
        service.submit("one", run.jobs)
        reports = hear_out(service, "one", run)
        assert ends(reports) == ends(service.poll(EVERYONE)) == WHOLE
        scores = [(r.updates, r.score["episodes"]) for r in reports if r.score]
        assert scores == [(200, 5), (200, 3), (100, 3), (200, 3), (300, 5)]
        assert service.poll("one") == []


@pytest.mark.slow
def test_equal_jobs_are_trained_once(make_run: MakeRun, tmp_path: Path) -> None:
    one, two = make_run(), make_run("policy.beta=1")
    with LocalTrainingService(tmp_path) as service:
        service.submit("one", one.jobs)
        service.submit("two", two.jobs)
        assert ends(hear_out(service, "two", two)) == WHOLE
        assert ends(hear_out(service, "one", one)) == WHOLE
        assert len(ends(service.poll(EVERYONE))) == 4


@pytest.mark.slow
def test_a_job_that_nobody_waits_for_is_saved_and_goes_on_later(
    make_run: MakeRun, tmp_path: Path
) -> None:
    run = make_run()
    behaviour = run.jobs[0]
    with LocalTrainingService(tmp_path) as service:
        service.submit("one", run.jobs)
        while not any(r.updates == 100 for r in service.poll("one")):
            pass
        service.cancel("one")
        assert service.workers[0].job is None and service.poll("one") == []
        assert JobStore(tmp_path).artefacts.lengths("behaviour", behaviour.key) == [100]
        service.submit("two", run.jobs)
        assert service.poll("two")[0].updates == 100
        assert ends(hear_out(service, "two", run)) == WHOLE


def test_leaving_saves_the_job_in_hand(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    with LocalTrainingService(tmp_path) as service:
        service.submit("one", run.jobs)
        while not any(r.updates == 100 for r in service.poll("one")):
            pass
    assert JobStore(tmp_path).artefacts.lengths("behaviour", run.jobs[0].key) == [100]


@pytest.mark.slow
def test_a_step_that_was_broken_off_is_never_saved(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C may come between the weights and the count of an update."""
    run = make_run()
    with LocalTrainingService(tmp_path) as service:
        service.submit("one", run.jobs)
        service.poll("one")

        def interrupted(updates: int) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(service.workers[0]._runner.engine, "advance", interrupted)
        with pytest.raises(KeyboardInterrupt):
            service.poll("one")
    assert JobStore(tmp_path).artefacts.lengths("behaviour", run.jobs[0].key) == []
    with LocalTrainingService(tmp_path) as again:
        again.submit("one", run.jobs)
        assert ends(hear_out(again, "one", run)) == WHOLE


def test_a_job_that_cannot_be_trained_fails(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    gone = Run(run.task, run.config, 0, str(tmp_path / "gone.hdf5"), "a" * 64)
    with LocalTrainingService(tmp_path) as service:
        service.submit("one", gone.jobs)
        reports = hear_out(service, "one", gone)
    assert ends(reports) == [(stage, "failed") for stage in ("behaviour", "critic", "policy")]
    assert all("does not exist" in r.reason for r in reports)


def kill(service: LocalTrainingService, number: int) -> None:
    worker = service.workers[number]
    assert isinstance(worker, ProcessWorker) and worker._process.pid is not None
    os.kill(worker._process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def pair_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pair")


@pytest.fixture(scope="module")
def pair(pair_root: Path) -> Iterator[LocalTrainingService]:
    """A service of two processes, which the last of its tests leaves."""
    with LocalTrainingService(pair_root, processes=2) as service:
        yield service


@pytest.mark.faults
def test_a_killed_process_comes_back_and_its_job_goes_on(
    pair: LocalTrainingService,
    pair_root: Path,
    make_run: MakeRun,
    tmp_path: Path,
    snapshot_bytes: Callable[[Path], dict[str, bytes]],
) -> None:
    run = make_run()
    pair.submit("one", run.jobs)
    while not any(r.snapshot.stage == "policy" for r in pair.poll("one")):
        pass
    owners = [i for i, worker in enumerate(pair.workers) if worker.job is not None]
    kill(pair, owners[0])
    assert ends(hear_out(pair, "one", run))[-1] == ("policy", "finished")
    with LocalTrainingService(tmp_path) as service:
        service.submit("one", run.jobs)
        hear_out(service, "one", run)
    assert snapshot_bytes(pair_root) == snapshot_bytes(tmp_path)


@pytest.mark.faults
def test_a_job_that_kills_every_process_is_lost_with_a_reason(
    pair: LocalTrainingService, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_queue, "SETBACKS", 2)
    pair.submit("endless", make_run("behaviour.updates=1000000", seed=1).jobs)
    events: list[JobEvent] = []
    while not any(event.ended for event in events):
        events = pair.poll("endless")
        working = [i for i, worker in enumerate(pair.workers) if worker.job is not None]
        if working and not any(event.ended for event in events):
            kill(pair, working[0])
    assert events[0].kind == "lost"
    reason = r"its process ended with code -9, 2 times at update \d+"
    assert re.fullmatch(reason, events[0].reason)


@pytest.mark.faults
def test_a_cancelled_job_leaves_its_process_and_leaving_saves_those_of_all(
    pair: LocalTrainingService, pair_root: Path, make_run: MakeRun
) -> None:
    runs = [make_run("behaviour.updates=1000000", seed=seed) for seed in (2, 3, 4)]
    artefacts = JobStore(pair_root).artefacts

    def train_on(*runs: Run) -> None:
        waiting = {run.jobs[0].snapshot for run in runs}
        for run in runs:
            pair.submit(str(run.seed), run.jobs)
        while waiting:
            for event in [event for run in runs for event in pair.poll(str(run.seed))]:
                if event.updates >= 100:
                    waiting.discard(event.snapshot)

    train_on(runs[0])
    pair.cancel("2")
    assert all(worker.job is None for worker in pair.workers)
    assert runs[0].jobs[0].snapshot not in pair.queue.graph.entries
    assert artefacts.lengths("behaviour", runs[0].jobs[0].key) != []
    train_on(*runs[1:])
    pair.close()
    assert not any(isinstance(w, ProcessWorker) and w._process.is_alive() for w in pair.workers)
    for run in runs[1:]:
        assert artefacts.lengths("behaviour", run.jobs[0].key) != []


@pytest.mark.slow
def test_the_example_of_the_interface_runs(make_run: MakeRun, tmp_path: Path) -> None:
    with LocalTrainingService(tmp_path) as service:
        names = {"service": service, "run": make_run()}
        examples = doctest.DocTestFinder().find(training_service.TrainingService, globs=names)
        results = [doctest.DocTestRunner().run(example) for example in examples]
    assert sum(result.attempted for result in results) == 4
    assert sum(result.failed for result in results) == 0


ORPHAN = """
import multiprocessing, time
from pathlib import Path
from qipo_ray.train import local_workers

class Stuck:
    job = "a long step"
    def __init__(self, *_): pass
    def close(self): pass
    def events(self):
        print("at work", flush=True)
        time.sleep(600)

def work(connection):
    local_workers.InProcessWorker = Stuck
    local_workers.serve(connection, "worker-0", Path(), "cpu")

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    ours, its = context.Pipe()
    process = context.Process(target=work, args=(its,))
    process.start()
    process.join()
"""


@pytest.mark.faults
def test_an_orphan_ends_in_three_seconds(tmp_path: Path) -> None:
    """Also in the middle of a long step, such as an evaluation."""
    (tmp_path / "driver.py").write_text(ORPHAN)
    line = [sys.executable, str(tmp_path / "driver.py")]
    with subprocess.Popen(line, stdout=subprocess.PIPE) as driver:
        assert driver.stdout is not None and driver.stdout.readline() == b"at work\n"
        driver.kill()
        start = time.monotonic()
        assert driver.stdout.read() == b""  # the pipe closes when the orphan ends, too
        assert time.monotonic() - start < 3.5
