"""The training service as its users see it: one interface, whatever trains behind it.

``LocalTrainingService`` trains on this machine without Ray. On a cluster ``Client`` speaks for a
``RayTrainingService``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from qipo_ray.study.job import Job
from qipo_ray.study.job_events import JobEvent

EVERYONE = "*"  # the subscriber that submits nothing and gets the events of all


class TrainingService(Protocol):
    """Trains submitted jobs, equal ones once, and tells each subscriber of its own.

    A subscriber gets every score and every end (``finished``, ``diverged`` or ``failed``), also
    of jobs that the store knew before; of progress it gets the newest. The subscriber ``"*"``
    submits nothing and gets all of it. From a run to its end:

    >>> service.submit("my run", run.jobs)
    >>> ended = False
    >>> while not ended:
    ...     events = service.poll("my run")
    ...     ended = any(event.ended and event.snapshot.stage == "policy" for event in events)
    >>> service.cancel("my run")
    """

    def submit(self, subscriber: str, jobs: Sequence[Job]) -> None:
        """Queue jobs and, among them, all that they build on; a job submitted again is no news."""

    def poll(self, subscriber: str) -> list[JobEvent]:
        """Return the new events of a subscriber, after at most a few seconds; maybe none."""

    def cancel(self, subscriber: str) -> None:
        """Drop a subscriber; jobs that nobody waits for any more are saved and stopped."""


class ObservedService:
    """A service whose events an observer gets, too, whoever polls."""

    def __init__(
        self, service: TrainingService, observe: Callable[[list[JobEvent]], None]
    ) -> None:
        self._service, self._observe = service, observe
        self.submit, self.cancel = service.submit, service.cancel

    def poll(self, subscriber: str) -> list[JobEvent]:
        """Return the new events of a subscriber, after passing all new ones to the observer."""
        events = self._service.poll(subscriber)
        if news := self._service.poll(EVERYONE):
            self._observe(news)
        return events
