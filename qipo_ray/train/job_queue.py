"""The queue: who waits for which jobs, and the events that each has not read yet.

The broker on a cluster and the service in this process both work from it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace

from qipo_ray.study.job import CheckpointRef, Job
from qipo_ray.study.job_events import JobEvent, Topic
from qipo_ray.train.job_graph import JobGraph
from qipo_ray.train.job_store import JobStore
from qipo_ray.train.training_service import EVERYONE

SETBACKS = 10  # in a row without an update gained: then a job is lost
LOST_MACHINES = 100  # the same where it was not to blame: its machines went


class Inbox:
    """Events for one subscriber, in order: scores and ends once, of progress the newest."""

    def __init__(self) -> None:
        self._events: dict[Topic, tuple[int, JobEvent]] = {}

    def put(self, serial: int, event: JobEvent) -> None:
        """Add an event under a serial number higher than all before."""
        topic = event.topic
        if not event.lasting:
            self._events.pop(topic, None)
        self._events.setdefault(topic, (serial, event))

    def since(self, last_serial: int) -> list[JobEvent]:
        """Return the events with a serial number above ``last_serial``."""
        new = itertools.takewhile(
            lambda item: item[0] > last_serial, reversed(self._events.values())
        )
        return [event for _, event in new][::-1]


class JobQueue:
    """A job graph with an inbox for each subscriber.

    What is in the store already comes as if it had just happened. A job that diverged, failed or
    was lost takes with it all that build on it, under the same reason.
    """

    def __init__(self, job_store: JobStore) -> None:
        self.graph = JobGraph(job_store)
        self.inboxes: dict[str, Inbox] = {EVERYONE: Inbox()}
        self.serial = 0  # of the newest event
        self.told: set[str] = set()  # subscribers with news, until somebody clears it
        self._reached: dict[CheckpointRef, int] = {}  # most updates seen
        # By job and how many are allowed: how many there were, and at which update.
        self._setbacks: dict[tuple[CheckpointRef, int], tuple[int, int]] = {}

    def submit(self, subscriber: str, jobs: Iterable[Job]) -> None:
        """Queue jobs for a subscriber, who gets what the store holds of them; idempotent."""
        jobs = list(jobs)
        self.inboxes.setdefault(subscriber, Inbox())
        for job in jobs:
            self.graph.add(job, subscriber)
        for job in jobs:
            self._notify_known(job)

    def cancel(self, subscriber: str) -> list[Job]:
        """Drop a subscriber; return the jobs in slots that nobody waits for any more."""
        self.inboxes.pop(subscriber, None)
        return self.graph.withdraw(subscriber)

    def poll(self, subscriber: str, last_serial: int) -> tuple[int, list[JobEvent]]:
        """Return the newest serial number and a subscriber's events after ``last_serial``."""
        inbox = self.inboxes.get(subscriber)
        return self.serial, [] if inbox is None else inbox.since(last_serial)

    def settle(self, event: JobEvent) -> None:
        """Take in an event of a job and pass it on."""
        snapshot = event.snapshot
        job = self.graph.entries[snapshot].job
        self._reached[snapshot] = max(event.updates, self._reached.get(snapshot, 0))
        ended = self.graph.settle(event)
        if not ended or event.goes_on:
            self._notify(event)
        elif snapshot in self.graph.failed:
            for ref in (snapshot, *self.graph.above(snapshot)):
                self._notify_failure(ref)
        elif snapshot in self.graph.done:
            self._notify_known(job)
        elif event.kind not in ("failed", "lost"):
            self.set_back(job, "it ended, but its results are not in the store or are damaged")

    def set_back(self, job: Job, reason: str, allowed: int | None = None) -> None:
        """Note that a job stopped against its will; too often at one place and it is lost.

        Setbacks of another number ``allowed``, else ``SETBACKS``, are counted apart.
        """
        allowed = allowed or SETBACKS
        at = self._reached.get(job.snapshot, 0)
        count, before = self._setbacks.get((job.snapshot, allowed), (0, at))
        count = count + 1 if at == before else 1
        self._setbacks[job.snapshot, allowed] = (count, at)
        if count >= allowed and job.snapshot in self.graph.entries:
            text = f"{reason}, {count} times at update {at}"
            self.settle(JobEvent("lost", job.snapshot, at, 0.0, reason=text))

    def _notify(self, event: JobEvent) -> None:
        self.serial += 1
        entry = self.graph.entries.get(event.snapshot)
        for subscriber in (EVERYONE, *(entry.subscribers if entry else ())):
            self.inboxes[subscriber].put(self.serial, event)
            self.told.add(subscriber)

    def _notify_known(self, job: Job) -> None:
        """Tell the scores that are in the store, and the end of the job if it has come."""
        job_store, snapshot = self.graph.job_store, job.snapshot
        for evaluation in job.evaluations:
            score = job_store.score(job, evaluation)
            if score is not None:
                kind, at = evaluation.kind, evaluation.updates
                self._notify(JobEvent(kind, snapshot, at, self._seconds(job, at), score=score))
        if snapshot in self.graph.done:
            self._notify(
                JobEvent("finished", snapshot, job.length, self._seconds(job, job.length))
            )
        self._notify_failure(snapshot)

    def _seconds(self, job: Job, updates: int) -> float:
        """Return the seconds of training up to a snapshot; 0 if that was pruned."""
        artefact = self.graph.job_store.artefacts.find(job.stage, job.key, updates)
        return 0.0 if artefact is None else artefact.seconds

    def _notify_failure(self, snapshot: CheckpointRef) -> None:
        failure = None if snapshot in self.graph.done else self.graph.failure(snapshot)
        if failure is not None:
            updates = failure.updates if snapshot == failure.snapshot else 0
            self._notify(replace(failure, snapshot=snapshot, updates=updates))
