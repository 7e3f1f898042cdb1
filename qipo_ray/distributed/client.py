"""The client: the training service in trials and the driver, which calls the broker by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qipo_ray.study.job import Job
    from qipo_ray.study.job_events import JobEvent, Topic

WAIT_S = 5.0  # longest wait for events


def broker_name(namespace: str) -> str:
    """Return the name of a service's broker; each has a namespace of its own."""
    return f"{namespace}-broker"


def broker_of(namespace: str) -> Any:
    """Return the broker's actor handle."""
    import ray

    return ray.get_actor(broker_name(namespace), namespace=namespace)


@dataclass
class _Subscription:
    """The state of a subscriber: its jobs, and the newest event of which life of the broker."""

    jobs: list[Job] = field(default_factory=list)
    life: str = ""
    last_serial: int = 0
    delivered: set[Topic] = field(default_factory=set)


class Client:
    """A small handle that can be pickled; calls wait while the broker restarts.

    After a restart the client submits again. A subscriber that moves to another process submits
    anew there, and gets all events from the start.
    """

    def __init__(self, namespace: str, wait_s: float = WAIT_S) -> None:
        self.namespace, self._wait_s = namespace, wait_s
        self._subscriptions: dict[str, _Subscription] = {}

    def __reduce__(self) -> tuple[type[Client], tuple[str]]:
        """Pickle the namespace alone, without the subscriptions of this process."""
        return Client, (self.namespace,)

    def _call(self, method: str, *arguments: Any) -> Any:
        import ray

        return ray.get(getattr(broker_of(self.namespace), method).remote(*arguments))

    def submit(self, subscriber: str, jobs: Sequence[Job]) -> None:
        """Queue jobs and, among them, all that they build on; repeated jobs change nothing."""
        state = self._subscriptions.setdefault(subscriber, _Subscription())
        state.jobs += [job for job in jobs if job not in state.jobs]
        state.life = self._call("submit", subscriber, state.jobs)

    def poll(self, subscriber: str) -> list[JobEvent]:
        """Return the subscriber's new events, after a few seconds at most."""
        state = self._subscriptions.setdefault(subscriber, _Subscription())
        answer = self._call("poll", subscriber, state.life, state.last_serial, self._wait_s)
        life, state.last_serial, events = answer
        if life != state.life and state.jobs:
            self.submit(subscriber, [])
        else:
            state.life = life
        new = [event for event in events if event.topic not in state.delivered]
        state.delivered.update(event.topic for event in new if event.lasting)
        return new

    def cancel(self, subscriber: str) -> None:
        """Drop a subscriber; jobs without subscribers are saved and stopped."""
        self._subscriptions.pop(subscriber, None)
        self._call("cancel", subscriber)
