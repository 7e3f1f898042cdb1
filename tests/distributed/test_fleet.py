"""The fleet: as many workers as there is room for, and what is said of them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest

from qipo_ray.distributed.broker import RollCall
from qipo_ray.distributed.fleet import (
    CONTROLLER_DEATHS,
    FOLLOW_S,
    START_S,
    ControllerDied,
    Fleet,
    WorkerLost,
)


class Ships:
    """A fleet on a cluster with room for some workers, with a clock that waits for nobody."""

    def __init__(self, room: int) -> None:
        self.room, self.now = room, 0.0
        self.futures: dict[str, Future[Any]] = {}
        self.fleet = Fleet(self._start, lambda: self.room, lambda: self.now)

    def _start(self, name: str) -> Future[Any]:
        self.futures[name] = Future()
        return self.futures[name]

    def after(self, seconds: float, at_work: Sequence[str], *left: tuple[str, str]) -> list[str]:
        self.now += seconds
        return self.fleet.follow(lambda: RollCall(tuple(at_work), left))


def test_workers_follow_the_room() -> None:
    ships = Ships(1)
    assert ships.after(FOLLOW_S, ["worker-0"]) == []
    ships.room = 3
    assert ships.after(FOLLOW_S / 2, ["worker-0"]) == []  # it does not look all the time
    assert ships.after(FOLLOW_S, ["worker-0"]) == [
        "the cluster has room for 3 workers now, 1 before"
    ]
    assert list(ships.futures) == ["worker-0", "worker-1", "worker-2"] and ships.fleet.size == 3
    ships.room = 0  # those that lost theirs wait for room
    assert ships.after(FOLLOW_S, ["worker-0"]) == [] and ships.fleet.size == 3


def test_it_is_said_which_workers_are_missing() -> None:
    ships = Ships(2)
    assert ships.after(FOLLOW_S, []) == []  # they start
    waiting = "waiting for 1 of 2 workers: there is no room for them"
    assert ships.after(START_S, ["worker-0"]) == [waiting]
    assert ships.after(START_S, ["worker-0"]) == []  # once is enough
    both = ["worker-0", "worker-1"]
    assert ships.after(FOLLOW_S, both) == ["all workers are at work: 2"]
    lost = ships.after(FOLLOW_S, both[:1], ("worker-1", "its machine is gone"))
    assert lost == ["worker-1: its machine is gone; its jobs go on elsewhere"]
    assert ships.after(START_S, both[:1]) == [waiting]


def test_a_worker_that_left_is_replaced() -> None:
    ships = Ships(2)
    ships.futures["worker-1"].set_result(None)
    ships.after(FOLLOW_S, ["worker-0"], ("worker-1", "its machine is to be taken away"))
    assert list(ships.futures) == ["worker-0", "worker-1", "worker-2"] and ships.fleet.size == 2
    assert ships.fleet.wait_for(["worker-0", "worker-1"], 0.0) == 1


def test_a_worker_that_fails_by_itself_ends_the_sweep() -> None:
    ships = Ships(2)
    ships.futures["worker-0"].set_exception(RuntimeError("no\ndriver"))
    ships.after(FOLLOW_S, ["worker-1"], ("worker-0", "its machine is gone"))  # not by itself
    assert list(ships.futures) == ["worker-0", "worker-1", "worker-2"]
    ships.futures["worker-2"].set_exception(RuntimeError("no\ndriver"))
    with pytest.raises(WorkerLost, match="worker-2 of 2 ended early: no driver; the same command"):
        ships.after(FOLLOW_S, ["worker-1"])


def test_a_worker_whose_controller_dies_starts_again_under_its_name() -> None:
    """Another name would leave its jobs with the old one until that counts as silent."""
    ships = Ships(2)
    for _ in range(CONTROLLER_DEATHS):
        ships.futures["worker-1"].set_exception(ControllerDied("killed"))
        said = ships.after(FOLLOW_S, ["worker-0"])
        assert said == ["worker-1: Ray Train's controller died; it starts again"]
        assert list(ships.futures) == ["worker-0", "worker-1"] and ships.fleet.size == 2
        assert ships.after(FOLLOW_S, ["worker-0"]) == []
    ships.futures["worker-1"].set_exception(ControllerDied("killed"))
    with pytest.raises(WorkerLost, match="worker-1 of 2 ended early: killed"):
        ships.after(FOLLOW_S, ["worker-0"])


@pytest.mark.slow  # it imports Ray
def test_a_worker_that_leaves_at_once_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    from qipo_ray.distributed.ray_service import RayTrainingService

    at_work, waited = ["worker-0"], []
    service = object.__new__(RayTrainingService)
    service._closed = False
    service._broker = SimpleNamespace(
        close=SimpleNamespace(remote=at_work.clear),
        roll_call=SimpleNamespace(remote=lambda: RollCall(tuple(at_work), ())),
    )
    service._fleet = SimpleNamespace(wait_for=lambda names, limit_s: waited.extend(names))
    service.cluster = SimpleNamespace(disconnect=lambda: None)
    monkeypatch.setattr(ray, "get", lambda answer, timeout: answer)
    monkeypatch.setattr(ray, "kill", lambda actor: None)
    service.close()
    assert waited == ["worker-0"]  # Ray must not be left while its thread is in it
