"""The broker where machines go: what was lost with them is not the jobs' fault."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from qipo_ray.distributed import broker as broker_module
from qipo_ray.distributed.broker import LOOK_S, Broker, Orders
from qipo_ray.distributed.machines import Machines
from qipo_ray.distributed.worker import Worker
from qipo_ray.study.job import Run
from qipo_ray.train import job_queue
from qipo_ray.train.job_queue import SETBACKS

MakeRun = Callable[..., Run]


class Cluster:
    """Machines by name, and a clock: each look is a while after the one before."""

    def __init__(self) -> None:
        self.alive, self.leaving, self.now = {"a", "b"}, set[str](), 0.0

    def machines(self) -> Machines:
        return Machines(self.alive, self.leaving)

    def clock(self) -> float:
        self.now += LOOK_S
        return self.now


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setattr(broker_module, "IDLE_S", 0.0)
    return Cluster()


@pytest.fixture
def broker(machines: Cluster, tmp_path: Path) -> Broker:
    return Broker(tmp_path, clock=machines.clock, machines=machines.machines)


def worker_on(machine: str, root: Path, name: str = "") -> Worker:
    return Worker(name or f"on {machine}", root, 1, "cpu", machine=machine)


def ends(broker: Broker) -> list[tuple[str, str]]:
    events = broker.queue.poll("one", 0)[1]
    return [(event.kind, event.reason) for event in events if event.ended]


def test_jobs_of_lost_machines_are_tried_again_more_often(
    broker: Broker, machines: Cluster, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.setattr(job_queue, "LOST_MACHINES", SETBACKS + 2)
    monkeypatch.setattr(broker_module, "LOST_MACHINES", SETBACKS + 2)

    async def test() -> None:
        await broker.submit("one", make_run().jobs)
        for number in range(SETBACKS + 2):
            assert not ends(broker)
            machines.alive = {f"spot {number}"}
            spot = worker_on(f"spot {number}", tmp_path, "worker-0")
            assert (await broker.pull(*spot.pull_arguments)).admit
            if number == 1:  # a death of its own counts apart
                again = worker_on("spot 1", tmp_path, "worker-0")
                assert (await broker.pull(*again.pull_arguments)).admit
            machines.alive = set()
            roll = await broker.roll_call()
            assert roll == ((), (("worker-0", "its machine is gone"),))
        assert {end for end in ends(broker)} == {
            ("lost", f"its machine was lost, {SETBACKS + 2} times at update 0")
        }

    asyncio.run(test())


@pytest.mark.slow
def test_a_worker_is_told_to_save_and_leave_before_its_machine_goes(
    broker: Broker, machines: Cluster, make_run: MakeRun, tmp_path: Path
) -> None:
    async def test() -> None:
        run, here = make_run(), worker_on("a", tmp_path)
        behaviour, there = run.jobs[0], worker_on("b", tmp_path)
        await broker.submit("one", run.jobs)
        here.follow(await broker.pull(*here.pull_arguments))
        assert (await broker.roll_call()).at_work == ("on a",)
        machines.leaving = {"a"}
        orders = await broker.pull(*here.pull_arguments)
        assert orders == Orders(close=True)
        here.follow(orders)
        assert [(e.kind, e.updates) for e in here.events] == [("dropped", 100)]
        await broker.leave(here.name, here.process, here.events)
        assert await broker.roll_call() == ((), (("on a", "its machine is to be taken away"),))
        there.follow(await broker.pull(*there.pull_arguments))
        assert [e.updates for e in there.events if e.snapshot == behaviour.snapshot][0] == 100
        assert (await broker.roll_call()) == (("on b",), ())

    asyncio.run(test())


def test_a_worker_that_leaves_at_the_end_is_no_news(broker: Broker, tmp_path: Path) -> None:
    async def test() -> None:
        here = worker_on("a", tmp_path)
        await broker.pull(*here.pull_arguments)
        await broker.close()
        assert (await broker.pull(*here.pull_arguments)).close
        await broker.leave(here.name, here.process, [])
        assert await broker.roll_call() == ((), ())

    asyncio.run(test())
