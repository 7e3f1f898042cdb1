"""The worker: what it does with orders, and the events that it reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from qipo_ray.distributed.broker import Orders
from qipo_ray.distributed.worker import Worker
from qipo_ray.study.job import Run
from qipo_ray.train.job_store import JobStore


def test_orders_are_followed_and_reported_once(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    job, worker = make_run().jobs[0], Worker("a", tmp_path, 2, "cpu")
    worker.follow(Orders(admit=(job,)))
    name, incarnation, free_slots, active, events = worker.pull_arguments
    assert (name, incarnation, free_slots, active) == ("a", worker.incarnation, 1, [job])
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
