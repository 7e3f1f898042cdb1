"""The fleet: worker groups of Ray Train, as many as the cluster has room for at the time.

One that has no room waits: Ray Train places it as soon as there is a machine, and meanwhile asks
the cluster's autoscaler for one.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from qipo_ray.distributed.broker import RollCall
from qipo_ray.distributed.resources import TRIALS_CPU
from qipo_ray.errors import Failure
from qipo_ray.store.background import aside
from qipo_ray.store.bucket import sent

FOLLOW_S = 5.0  # between looks at the cluster
START_S = 60.0  # that workers may take to start before it is said that they are missing
FAILURES = 100  # deaths of one worker before the sweep fails
CONTROLLER_DEATHS = 10  # the same of what watches over it, which does nothing else


class WorkerLost(Failure):
    """A worker died too often."""


class ControllerDied(Exception):
    """Ray Train's own process that watches over a worker died, and the worker with it."""


@dataclass(frozen=True)
class WorkerSettings:
    """The settings that each worker starts with."""

    root: Path
    namespace: str
    cpus: float
    gpus: float
    slots: int


class Fleet:
    """Workers, each a group of one process; new ones join them, and those that went are replaced.

    A worker leaves without an error only where its machine is to be taken away, and one that
    fails has failed by itself only where it lost no machine.
    """

    def __init__(
        self,
        start: Callable[[str], Future[Any]],
        count: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start ``count()`` workers: ``start`` returns what a name's worker will come to."""
        self._start, self._count, self._clock = start, count, clock
        self._trainers: dict[str, Future[Any]] = {}
        self._wanted = self._begun = 0  # workers at once, and so far
        self._unlucky: set[str] = set()  # workers that lost a machine
        self._unwatched: Counter[str] = Counter()  # deaths of controllers
        self._looked = self._changed = clock()
        self._said = 0  # missing workers
        self._fill()

    @property
    def size(self) -> int:
        """Number of workers, those that wait for room among them."""
        return len(self._trainers)

    def _fill(self) -> None:
        self._wanted = max(self._wanted, self._count())
        while self.size < self._wanted:
            name = f"worker-{self._begun}"
            self._trainers[name] = self._start(name)
            self._begun += 1
            self._changed = self._clock()

    def check(self) -> list[str]:
        """Take out workers that are gone for good, and return the names of those begun again.

        ``WorkerLost`` for an own failure. Under its old name a worker has its jobs back at once.
        """
        again = []
        for name, trainer in list(self._trainers.items()):
            if not trainer.done():
                continue
            cause = trainer.exception()
            self._unwatched[name] += isinstance(cause, ControllerDied)
            if isinstance(cause, ControllerDied) and self._unwatched[name] <= CONTROLLER_DEATHS:
                self._trainers[name] = self._start(name)
                again.append(name)
                continue
            if cause is not None and name not in self._unlucky:
                reason = " ".join(str(cause).split())
                raise WorkerLost(
                    f"{name} of {self.size} ended early: {reason:.300}; the same command continues"
                ) from cause
            del self._trainers[name]
        return again

    def follow(self, call_roll: Callable[[], RollCall]) -> list[str]:
        """Replace workers that went and start new ones for new room; return what is news.

        It looks at the cluster every few seconds, however often it is called.
        """
        if self._clock() - self._looked < FOLLOW_S:
            return []
        self._looked = self._clock()
        roll = call_roll()
        self._unlucky.update(name for name, _ in roll.left)
        news = [f"{name}: {reason}; its jobs go on elsewhere" for name, reason in roll.left]
        wanted = self._wanted
        again = self.check()
        news += [f"{name}: Ray Train's controller died; it starts again" for name in again]
        if news:
            self._changed = self._clock()
        self._fill()
        if self._wanted > wanted:
            news.append(f"the cluster has room for {self._wanted} workers now, {wanted} before")
        return news + self._missing(len(roll.at_work))

    def _missing(self, at_work: int) -> list[str]:
        """Return a line where the number of workers that wait is another one than was said."""
        missing = max(0, self.size - at_work)
        if missing == self._said or (missing and self._clock() - self._changed < START_S):
            return []
        self._said = missing
        if missing:
            return [f"waiting for {missing} of {self.size} workers: there is no room for them"]
        return [f"all workers are at work: {self.size}"]

    def wait_for(self, names: Sequence[str], limit_s: float) -> int:
        """Return how many of the named workers have not ended within the limit."""
        return len(wait([self._trainers[n] for n in names if n in self._trainers], limit_s)[1])


def start_worker(settings: WorkerSettings, name: str) -> Future[Any]:
    """Return what a worker will come to, which runs from now on or as soon as it has room."""
    return aside(partial(_train, settings, name))


def _train(settings: WorkerSettings, name: str) -> Any:
    """Run one worker to its end."""
    from ray.exceptions import ActorDiedError
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    from qipo_ray.distributed.worker import train_loop

    resources = {"CPU": max(settings.cpus - TRIALS_CPU, settings.cpus / 2)}
    if settings.gpus:
        resources["GPU"] = settings.gpus
    trainer = TorchTrainer(
        train_loop,
        train_loop_config={
            "name": name,
            "namespace": settings.namespace,
            "root": sent(settings.root),
            "slots": settings.slots,
            "threads": max(1, int(settings.cpus)),
        },
        # A group of one exchanges nothing: NCCL would start up on a part of a GPU for that.
        torch_config=TorchConfig(backend="gloo"),
        scaling_config=ScalingConfig(
            num_workers=1, use_gpu=bool(settings.gpus), resources_per_worker=resources
        ),
        run_config=RunConfig(
            name=f"{settings.namespace}-{name}",
            storage_path=str(settings.root / "ray"),
            failure_config=FailureConfig(max_failures=FAILURES),
        ),
    )
    try:
        return trainer.fit()
    except ActorDiedError as error:  # what becomes of the worker's own process comes otherwise
        raise ControllerDied(str(error)) from error
