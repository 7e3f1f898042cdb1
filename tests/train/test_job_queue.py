"""What each subscriber is told, and when a job is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qipo_ray.study.job import CheckpointRef, Run
from qipo_ray.study.job_events import JobEvent
from qipo_ray.train.job_queue import SETBACKS, Inbox, JobQueue
from qipo_ray.train.job_store import JobStore
from qipo_ray.train.training_service import EVERYONE

REF = CheckpointRef("policy", "a" * 16, 300)


def progress(updates: int) -> JobEvent:
    return JobEvent("progress", REF, updates, 0.0)


def test_of_progress_an_inbox_keeps_the_newest_and_of_ends_the_first() -> None:
    inbox = Inbox()
    for serial, event in enumerate([progress(100), progress(200)], start=1):
        inbox.put(serial, event)
    inbox.put(3, JobEvent("finished", REF, 300, 9.0))
    inbox.put(4, JobEvent("finished", REF, 300, 1.0))
    assert [(e.kind, e.updates, e.seconds) for e in inbox.since(0)] == [
        ("progress", 200, 0.0),
        ("finished", 300, 9.0),
    ]
    assert inbox.since(3) == []


def test_subscribers_get_their_own_events_and_everyone_gets_all(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    queue = JobQueue(JobStore(tmp_path))
    runs = [make_run(seed=seed) for seed in (0, 1)]
    for run in runs:
        queue.submit(f"seed {run.seed}", run.jobs)
    for run in runs:
        queue.settle(JobEvent("progress", run.jobs[0].snapshot, 100, 1.0))
    for run in runs:
        (event,) = queue.poll(f"seed {run.seed}", 0)[1]
        assert event.snapshot == run.jobs[0].snapshot
    assert len(queue.poll(EVERYONE, 0)[1]) == 2
    assert queue.poll("somebody else", 0)[1] == []


def test_a_job_with_too_many_setbacks_at_one_update_is_lost(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    queue, jobs = JobQueue(JobStore(tmp_path)), make_run().jobs
    queue.submit("one", jobs)
    behaviour = jobs[0]
    for number in range(SETBACKS - 1):
        queue.set_back(behaviour, f"death {number}")
    queue.settle(JobEvent("progress", behaviour.snapshot, 100, 1.0))
    for number in range(SETBACKS - 1):  # it came further in between: counted anew
        queue.set_back(behaviour, f"death {number}")
    assert not any(event.ended for event in queue.poll("one", 0)[1])
    queue.set_back(behaviour, "the last death")
    ended = [event for event in queue.poll("one", 0)[1] if event.ended]
    assert [event.kind for event in ended] == ["lost"] * 3
    assert ended[0].reason == f"the last death, {SETBACKS} times at update 100"
