"""The desk: who waits for which jobs, and the news that each has not read yet.

The broker on a cluster and the service in this process both work from it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace

from qipo_ray.train.graph import JobGraph
from qipo_ray.train.job import Job, Snapshot
from qipo_ray.train.report import Report, Topic
from qipo_ray.train.results import Results

EVERYONE = "*"  # the waiter who wants nothing and hears everything
SETBACKS = 3  # in a row without an update gained: then a job has failed


class Inbox:
    """The news for one waiter, in order. Scores and ends come once; of progress, the newest."""

    def __init__(self) -> None:
        self._news: dict[Topic, tuple[int, Report]] = {}

    def put(self, serial: int, report: Report) -> None:
        """Add a report under a serial number higher than all before."""
        topic = report.topic
        if not report.lasting:
            self._news.pop(topic, None)
        self._news.setdefault(topic, (serial, report))

    def since(self, seen: int) -> list[Report]:
        """Return the reports with a higher serial number than ``seen``."""
        new = itertools.takewhile(lambda item: item[0] > seen, reversed(self._news.values()))
        return [report for _, report in new][::-1]


class Desk:
    """A job graph with an inbox for each waiter.

    What the store knows already is told as if it had just happened. A job that diverged or failed
    takes with it all that build on it, under the same reason.
    """

    def __init__(self, results: Results) -> None:
        self.graph = JobGraph(results)
        self.inboxes: dict[str, Inbox] = {EVERYONE: Inbox()}
        self.serial = 0  # of the newest report
        self._reached: dict[Snapshot, int] = {}  # most updates seen
        self._setbacks: dict[Snapshot, tuple[int, int]] = {}  # how many, and at which update

    def want(self, waiter: str, jobs: Iterable[Job]) -> None:
        """Queue jobs for a waiter, who is told what the store knows of them; idempotent."""
        jobs = list(jobs)
        self.inboxes.setdefault(waiter, Inbox())
        for job in jobs:
            self.graph.add(job, waiter)
        for job in jobs:
            self._tell_known(job)

    def forget(self, waiter: str) -> list[Job]:
        """Drop a waiter; return the jobs in slots that nobody waits for any more."""
        self.inboxes.pop(waiter, None)
        return self.graph.withdraw(waiter)

    def news(self, waiter: str, seen: int) -> tuple[int, list[Report]]:
        """Return the newest serial number and a waiter's reports after ``seen``."""
        inbox = self.inboxes.get(waiter)
        return self.serial, [] if inbox is None else inbox.since(seen)

    def settle(self, report: Report) -> None:
        """Take in a report on a wanted job and pass it on."""
        snapshot = report.snapshot
        job = self.graph.entries[snapshot].job
        self._reached[snapshot] = max(report.updates, self._reached.get(snapshot, 0))
        ended = self.graph.settle(report)
        if not ended or report.kind == "dropped":
            self._tell(report)
        elif snapshot in self.graph.lost:
            for other in self.graph.entries:
                self._tell_loss(other)
        elif snapshot in self.graph.done:
            self._tell_known(job)
        elif report.kind != "failed":
            self.set_back(job, "it ended, but its results are not in the store or are damaged")

    def set_back(self, job: Job, reason: str) -> None:
        """Note that a job stopped against its will; too often at one place and it has failed."""
        at = self._reached.get(job.snapshot, 0)
        count, before = self._setbacks.get(job.snapshot, (0, at))
        count = count + 1 if at == before else 1
        self._setbacks[job.snapshot] = (count, at)
        if count >= SETBACKS and job.snapshot in self.graph.entries:
            text = f"{reason}, {count} times at update {at}"
            self.settle(Report("failed", job.snapshot, at, 0.0, reason=text))

    def _tell(self, report: Report) -> None:
        self.serial += 1
        entry = self.graph.entries.get(report.snapshot)
        for waiter in (EVERYONE, *(entry.waiters if entry else ())):
            self.inboxes[waiter].put(self.serial, report)

    def _tell_known(self, job: Job) -> None:
        """Tell the scores that are in the store, and the end of the job if it has come."""
        results, snapshot = self.graph.results, job.snapshot
        for evaluation in job.evaluations:
            found = results.score(job, evaluation)
            if found is not None:
                at = evaluation.updates
                self._tell(Report("score", snapshot, at, self._seconds(job, at), score=found))
        if snapshot in self.graph.done:
            self._tell(Report("finished", snapshot, job.length, self._seconds(job, job.length)))
        self._tell_loss(snapshot)

    def _seconds(self, job: Job, updates: int) -> float:
        """Return the seconds of training up to a snapshot; 0 if that was pruned."""
        artefact = self.graph.results.artefacts.find(job.stage, job.key, updates)
        return 0.0 if artefact is None else artefact.seconds

    def _tell_loss(self, snapshot: Snapshot) -> None:
        loss = None if snapshot in self.graph.done else self.graph.loss(snapshot)
        if loss is not None:
            updates = loss.updates if snapshot == loss.snapshot else 0
            self._tell(replace(loss, snapshot=snapshot, updates=updates))
