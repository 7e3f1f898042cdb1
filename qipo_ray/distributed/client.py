"""The client: the service as trials and the driver see it, through the broker's name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qipo_ray.study.job import Job
    from qipo_ray.study.job_events import JobEvent, Topic

BROKER = "broker"  # the actor's name, in a namespace of its own for each service
WAIT_S = 5.0  # longest wait for news


def broker_of(namespace: str) -> Any:
    """Return the broker's actor handle."""
    import ray

    return ray.get_actor(BROKER, namespace=namespace)


class Client:
    """A small handle that travels between processes; calls wait while the broker restarts.

    After a restart the client submits again. A client speaks for its subscribers alone: a
    subscriber that moves to another process submits anew there, and hears all from the start.
    """

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self._wanted: dict[str, list[Job]] = {}
        self._life: dict[str, str] = {}
        self._seen: dict[str, int] = {}
        self._told: dict[str, set[Topic]] = {}

    def __reduce__(self) -> tuple[type[Client], tuple[str]]:
        """Travel without what this process wanted and heard."""
        return Client, (self.namespace,)

    def _call(self, method: str, *arguments: Any) -> Any:
        import ray

        return ray.get(getattr(broker_of(self.namespace), method).remote(*arguments))

    def submit(self, subscriber: str, jobs: Sequence[Job]) -> None:
        """Queue jobs and, among them, all that they build on; a job wanted again is no news."""
        wanted = self._wanted.setdefault(subscriber, [])
        wanted += [job for job in jobs if job not in wanted]
        self._life[subscriber] = self._call("submit", subscriber, wanted)

    def poll(self, subscriber: str) -> list[JobEvent]:
        """Return what is new for the subscriber, after at most ``WAIT_S`` seconds."""
        seen, life = self._seen.get(subscriber, 0), self._life.get(subscriber, "")
        now, self._seen[subscriber], reports = self._call("poll", subscriber, life, seen, WAIT_S)
        if now != life and subscriber in self._wanted:
            self.submit(subscriber, [])
        else:
            self._life[subscriber] = now
        told = self._told.setdefault(subscriber, set())
        new = [report for report in reports if report.topic not in told]
        told.update(report.topic for report in new if report.lasting)
        return new

    def cancel(self, subscriber: str) -> None:
        """Drop a subscriber; jobs that nobody waits for any more are saved and stopped."""
        for known in (self._wanted, self._life, self._seen, self._told):
            known.pop(subscriber, None)
        self._call("cancel", subscriber)
