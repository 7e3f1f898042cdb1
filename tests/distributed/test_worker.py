"""The worker: what it does with orders, and the events that it reports."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from qipo_ray.distributed.broker import Orders
from qipo_ray.distributed.worker import Worker
from qipo_ray.study.job import CheckpointRef, Run
from qipo_ray.train.job_store import JobStore

SELDOM = ("evaluation.every=1000", "evaluation.final_episodes=1")


def ends(worker: Worker) -> list[tuple[str, CheckpointRef]]:
    """Return how jobs left their slots."""
    return [(event.kind, event.snapshot) for event in worker.events if event.leaves_slot]


def test_orders_are_followed_and_reported_once(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    job, worker = make_run().jobs[0], Worker("a", tmp_path, 2, "cpu")
    worker.follow(Orders(admit=(job,)))
    name, process, free_slots, active, events = worker.pull_arguments
    assert (name, process, free_slots, active) == ("a", worker.process, 1, [job])
    assert [(event.kind, event.updates) for event in events] == [
        ("progress", 0),
        ("progress", 100),
    ]
    assert {event.snapshot for event in events} == {job.snapshot}
    worker.follow(Orders(close=True))
    assert [(event.kind, event.updates) for event in worker.events] == [("dropped", 100)]
    assert worker.pull_arguments[2:4] == (2, [])
    assert JobStore(tmp_path).artefacts.lengths(job.stage, job.key) == [100]


def test_a_job_that_cannot_be_admitted_has_failed(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    job, worker = make_run().jobs[0], Worker("a", tmp_path, 1, "cpu")
    worker.follow(Orders(admit=(replace(job, data="nowhere.hdf5", data_sha256="a" * 64),)))
    (event,) = worker.events
    assert event.kind == "failed" and "does not exist" in event.reason
    assert not worker.runner.active


def test_a_full_disk_loses_the_jobs_in_hand_with_that_reason(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    first, second = (make_run(seed=seed).jobs[0] for seed in (0, 1))
    worker = Worker("a", tmp_path, 2, "cpu")
    worker.follow(Orders(admit=(first,)))
    (tmp_path / "artefacts" / f"behaviour-{second.key}").touch()  # in place of the folder
    worker.follow(Orders(admit=(second,)))
    assert [(event.kind, event.snapshot) for event in worker.events] == [
        ("lost", first.snapshot),
        ("lost", second.snapshot),
    ]
    assert second.key in worker.events[0].reason
    assert worker.pull_arguments[2:4] == (2, [])
    (tmp_path / "artefacts" / f"behaviour-{second.key}").unlink()
    worker.follow(Orders(admit=(second,)))
    assert {event.kind for event in worker.events} == {"progress"}


def test_a_method_that_breaks_fails_its_jobs_with_its_place(
    make_run: Callable[..., Run], own_module: Callable[..., str], tmp_path: Path
) -> None:
    """In the middle of training; the worker goes on with others."""
    broken = "if self.members[0].updates == 30: self.nothing()\n        rows = "
    named = own_module(("rows = ", broken))
    job = make_run(f"policy.method={named}", "awr.width=8", "awr.updates=60").jobs[-1]
    worker = Worker("a", tmp_path, 1, "cpu")
    worker.follow(Orders(admit=(job,)))
    (event,) = worker.events[-1:]
    assert event.kind == "failed" and event.snapshot == job.snapshot
    assert "AttributeError in _losses, " in event.reason and "my_awr.py:" in event.reason
    worker.follow(Orders(admit=(make_run().jobs[0],)))
    assert {event.kind for event in worker.events} == {"progress"}


def test_a_member_that_breaks_fails_alone(
    make_run: Callable[..., Run], own_module: Callable[..., str], tmp_path: Path
) -> None:
    """Here in its own metrics: the others go on in their slots."""
    own = (
        "    def metrics(self, i):\n        if self.members[i].seed == 1: self.nothing()\n"
        "        return super().metrics(i)\n\n    def _after("
    )
    named = own_module(("    def _after(", own))
    settings = (f"policy.method={named}", "awr.width=8", "awr.updates=110", *SELDOM)
    good, bad = (make_run(*settings, seed=seed).jobs[-1] for seed in (0, 1))
    worker = Worker("a", tmp_path, 2, "cpu")
    worker.follow(Orders(admit=(good, bad)))
    assert ends(worker) == [("failed", bad.snapshot)]
    assert "AttributeError in metrics, " in worker.events[-1].reason
    assert worker.pull_arguments[2:4] == (1, [good])
    worker.follow(Orders())
    assert ends(worker) == [("finished", good.snapshot)]


def test_a_new_member_that_breaks_a_pack_sends_the_others_back(
    make_run: Callable[..., Run], own_module: Callable[..., str], tmp_path: Path
) -> None:
    breaks = "        if member.seed == 1: return {}\n        generator = "
    named = own_module(("        generator = ", breaks))
    settings = (f"policy.method={named}", "awr.width=8", "awr.updates=110", *SELDOM)
    good, bad = (make_run(*settings, seed=seed).jobs[-1] for seed in (0, 1))
    worker = Worker("a", tmp_path, 2, "cpu")
    worker.follow(Orders(admit=(good,)))
    worker.follow(Orders(admit=(bad,)))
    assert ends(worker) == [("failed", bad.snapshot), ("dropped", good.snapshot)]
    worker.follow(Orders(admit=(good,)))
    worker.follow(Orders())
    assert ends(worker) == [("finished", good.snapshot)]


def test_a_job_in_whose_folder_another_process_trains_is_lost_alone(
    make_run: Callable[..., Run], own_module: Callable[..., str], tmp_path: Path
) -> None:
    named = own_module(name="my_program", block=1)
    run = make_run(f"policy.method={named}", "ridge.updates=20", *SELDOM)
    job, worker = run.jobs[-1], Worker("a", tmp_path, 1, "cpu")
    folder = tmp_path / "programs" / job.key
    folder.mkdir(parents=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        worker.follow(Orders(admit=(job,)))
    assert ends(worker) == [("lost", job.snapshot)]
    assert worker.events[-1].reason == f"another process trains in {folder}"
