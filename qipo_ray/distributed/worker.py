"""The worker: a job runner that follows the broker's orders, run by Ray Train."""

from __future__ import annotations

import secrets
import threading
from functools import partial
from pathlib import Path
from typing import Any

import torch

from qipo_ray.distributed import datasets
from qipo_ray.distributed.broker import Orders, Process
from qipo_ray.distributed.client import broker_of
from qipo_ray.store.bucket import arrived
from qipo_ray.study.job import Job
from qipo_ray.study.job_events import JobEvent
from qipo_ray.train.dataset import OpenData, on_disk
from qipo_ray.train.runner import JobRunner

BEAT_S = 10.0  # between calls that say that the worker is alive


class Worker:
    """A job runner with a name, and the events that the broker does not have yet."""

    def __init__(
        self,
        name: str,
        root: Path,
        slots: int,
        device: str,
        open_data: OpenData = on_disk,
        machine: str = "",
    ) -> None:
        self.name = name
        self.process = Process(secrets.token_hex(4), machine)
        self._new_runner = partial(JobRunner, root, slots, device, open_data)
        self.runner = self._new_runner()
        self.events: list[JobEvent] = []

    @property
    def pull_arguments(self) -> tuple[str, Process, int, list[Job], list[JobEvent]]:
        """The arguments of ``Broker.pull``."""
        active = [active.job for active in self.runner.active.values()]
        free = self.runner.engine.slots - len(active)
        return self.name, self.process, free, active, self.events

    def follow(self, orders: Orders) -> None:
        """Stop and admit jobs as ordered, then train one step; or save all to close.

        An error of the machine that another process would not mend, such as a full disk, loses
        the jobs in hand.
        """
        self.events = []
        jobs = [*(active.job for active in self.runner.active.values()), *orders.admit]
        try:
            self._carry_out(orders)
        except OSError as error:
            left = {event.snapshot for event in self.events if event.leaves_slot}
            self.events += [
                JobEvent("lost", job.snapshot, 0, 0.0, reason=str(error))
                for job in jobs
                if job.snapshot not in left
            ]
            self.runner = self._new_runner()

    def _carry_out(self, orders: Orders) -> None:
        stop = tuple(self.runner.active) if orders.close else orders.stop
        for key in stop:
            self.events.append(self.runner.stop(key))
        for job in orders.admit:
            self.events += self.runner.start(job)
        if self.runner.active:
            self.events += self.runner.step()


def train_loop(config: dict[str, Any]) -> None:
    """Follow the orders of the broker in ``namespace`` until it orders to close.

    A process that dies is started again by Ray Train; its jobs go on from their checkpoints. One
    whose machine is to be taken away is ordered to close.
    """
    import ray
    import ray.train.torch

    device = ray.train.torch.get_device()
    if device.type == "cpu":
        torch.set_num_threads(config["threads"])
    try:
        broker = broker_of(config["namespace"])
    except ValueError:  # it had to wait for room, and meanwhile the service was closed
        return
    open_data = partial(datasets.local_copy, config["namespace"])
    machine = ray.get_runtime_context().get_node_id()
    worker = Worker(
        config["name"], arrived(config["root"]), config["slots"], str(device), open_data, machine
    )
    stopped = threading.Event()

    def beat() -> None:
        while not stopped.wait(BEAT_S):
            broker.beat.remote(worker.name, worker.process)

    threading.Thread(target=beat, daemon=True).start()
    try:
        closed = False
        while not closed:
            orders = ray.get(broker.pull.remote(*worker.pull_arguments))
            worker.follow(orders)
            closed = orders.close
        ray.get(broker.leave.remote(worker.name, worker.process, worker.events))
    finally:
        stopped.set()
