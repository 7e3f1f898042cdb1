"""The worker: a host that trains what the broker orders. The training function of Ray Train."""

from __future__ import annotations

import secrets
import threading
from functools import partial
from pathlib import Path
from typing import Any

import torch

from qipo_ray.distributed import datasets
from qipo_ray.distributed.broker import Orders
from qipo_ray.distributed.client import broker_of
from qipo_ray.errors import UserError
from qipo_ray.study.job import Job
from qipo_ray.study.job_events import JobEvent
from qipo_ray.train.dataset import AtHand, on_disk
from qipo_ray.train.runner import JobRunner

BEAT_S = 10.0  # seconds between signs of life


class Worker:
    """A host with a name, and the reports that the broker has not heard yet."""

    def __init__(
        self, name: str, root: Path, slots: int, device: str, at_hand: AtHand = on_disk
    ) -> None:
        self.name = name
        self.incarnation = secrets.token_hex(4)  # of this process
        self.host = JobRunner(root, slots, device, at_hand)
        self.reports: list[JobEvent] = []

    @property
    def call(self) -> tuple[str, str, int, list[Job], list[JobEvent]]:
        """What to say to the broker: the arguments of ``Broker.pull``."""
        active = [active.job for active in self.host.active.values()]
        free = self.host.engine.slots - len(active)
        return self.name, self.incarnation, free, active, self.reports

    def follow(self, orders: Orders) -> None:
        """Stop and admit as ordered, then train one step, or save all on the order to close."""
        self.reports = []
        leave = tuple(self.host.active) if orders.close else orders.stop
        for key in leave:
            self.reports.append(self.host.stop(key))
        for job in orders.admit:
            self.reports += self._admit(job)
        if self.host.active:
            self.reports += self.host.step()

    def _admit(self, job: Job) -> list[JobEvent]:
        try:
            return self.host.admit(job)
        except UserError as error:
            return [JobEvent("failed", job.snapshot, 0, 0.0, reason=str(error))]


def train_loop(config: dict[str, Any]) -> None:
    """Train what the broker of ``namespace`` orders until it says to close.

    A process that dies is started again by Ray Train; its jobs go on from their checkpoints.
    """
    import ray
    import ray.train.torch

    device = ray.train.torch.get_device()
    if device.type == "cpu":
        torch.set_num_threads(config["threads"])
    at_hand = partial(datasets.at_hand, config["namespace"])
    worker = Worker(config["name"], Path(config["root"]), config["slots"], str(device), at_hand)
    broker = broker_of(config["namespace"])
    left = threading.Event()

    def beat() -> None:
        while not left.wait(BEAT_S):
            broker.beat.remote(worker.name, worker.incarnation)

    threading.Thread(target=beat, daemon=True).start()
    try:
        closed = False
        while not closed:
            orders = ray.get(broker.pull.remote(*worker.call))
            worker.follow(orders)
            closed = orders.close
    finally:
        left.set()
