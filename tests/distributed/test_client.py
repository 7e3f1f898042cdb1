"""The client with a broker in this process: submitted again after a restart, no event twice."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qipo_ray.distributed.broker import Broker
from qipo_ray.distributed.client import Client
from qipo_ray.study.job import Run
from qipo_ray.study.job_events import JobEvent
from qipo_ray.train.job_queue import EVERYONE


class LocalClient(Client):
    """A client that calls a broker without Ray."""

    def __init__(self, broker: Broker) -> None:
        super().__init__("local", wait_s=0.0)
        self.broker = broker

    def _call(self, method: str, *arguments: Any) -> Any:
        return asyncio.run(getattr(self.broker, method)(*arguments))


def fail(broker: Broker, run: Run) -> None:
    broker.queue.settle(JobEvent("failed", run.jobs[0].snapshot, 0, 0.0, reason="no data"))


def test_each_event_comes_once_also_after_a_restart(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    run, client = make_run(), LocalClient(Broker(tmp_path))
    client.submit("one", run.jobs)
    assert client.poll("one") == []
    fail(client.broker, run)
    assert [event.snapshot.stage for event in client.poll("one")] == [*(j.stage for j in run.jobs)]
    assert client.poll("one") == []
    client.broker = Broker(tmp_path)
    assert client.poll("one") == []
    assert set(client.broker.graph.entries) == {job.snapshot for job in run.jobs}
    fail(client.broker, run)
    assert client.poll("one") == []  # the same ends as before


def test_a_cancelled_subscriber_is_not_submitted_again(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    client = LocalClient(Broker(tmp_path))
    client.submit("one", make_run().jobs)
    client.cancel("one")
    client.broker = Broker(tmp_path)
    assert client.poll("one") == client.poll(EVERYONE) == []
    assert client.broker.graph.entries == {}


def test_a_pickled_client_has_no_subscriptions(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    client = LocalClient(Broker(tmp_path))
    client.submit("one", make_run().jobs)
    copy = pickle.loads(pickle.dumps(client))
    assert (type(copy), vars(copy)) == (Client, vars(Client("local")))
