"""The client: the service as trials and the driver see it, through the broker's name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qipo_ray.train.job import Job
    from qipo_ray.train.report import Report, Topic

BROKER = "broker"  # the actor's name, in a namespace of its own for each service
WAIT_S = 5.0  # longest wait for news


def broker_of(namespace: str) -> Any:
    """Return the broker's actor handle."""
    import ray

    return ray.get_actor(BROKER, namespace=namespace)


class Client:
    """A small handle that travels between processes; calls wait while the broker restarts.

    After a restart the client wants again what it wanted. A client speaks for its waiters alone:
    a waiter that moves to another process wants anew there, and hears all from the start.
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

    def want(self, waiter: str, jobs: Sequence[Job]) -> None:
        """Queue jobs and, among them, all that they build on; a job wanted again is no news."""
        wanted = self._wanted.setdefault(waiter, [])
        wanted += [job for job in jobs if job not in wanted]
        self._life[waiter] = self._call("want", waiter, wanted)

    def news(self, waiter: str) -> list[Report]:
        """Return what is new for the waiter, after at most ``WAIT_S`` seconds."""
        seen, life = self._seen.get(waiter, 0), self._life.get(waiter, "")
        now, self._seen[waiter], reports = self._call("news", waiter, life, seen, WAIT_S)
        if now != life and waiter in self._wanted:
            self.want(waiter, [])
        else:
            self._life[waiter] = now
        told = self._told.setdefault(waiter, set())
        new = [report for report in reports if report.topic not in told]
        told.update(report.topic for report in new if report.lasting)
        return new

    def forget(self, waiter: str) -> None:
        """Drop a waiter; jobs that nobody waits for any more are saved and stopped."""
        for known in (self._wanted, self._life, self._seen, self._told):
            known.pop(waiter, None)
        self._call("forget", waiter)

    def status(self) -> dict[str, Any]:
        """Return the broker's counts for the screen."""
        status: dict[str, Any] = self._call("status")
        return status
