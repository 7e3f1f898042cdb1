"""Jobs that break, diverge or lose what they build on: what the broker makes of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fixtures.broker_turns import (
    WHOLE,
    MakeRun,
    attempts,
    check,
    ends,
    events_of,
    run_out,
    turn,
)

from qipo_ray.distributed.broker import Broker
from qipo_ray.distributed.worker import Worker
from qipo_ray.study.job import Run
from qipo_ray.train.job_queue import SETBACKS
from qipo_ray.train.job_store import JobStore

pytestmark = pytest.mark.usefixtures("hurry")


def test_a_job_that_kills_its_worker_is_lost_in_the_end(make_run: MakeRun, tmp_path: Path) -> None:
    async def test() -> None:
        broker, run = Broker(tmp_path), make_run()
        await broker.submit("one", run.jobs)
        for _ in range(SETBACKS):
            assert (await broker.pull(*Worker("a", tmp_path, 1, "cpu").pull_arguments)).admit
        await broker.pull(*Worker("a", tmp_path, 1, "cpu").pull_arguments)
        events = await events_of(broker, "one")
        assert ends(events) == [(s, "lost") for s in ("behaviour", "critic", "policy")]
        assert {r.reason for r in events} == {f"worker a died, {SETBACKS} times at update 0"}

    check(test)


def test_jobs_that_broke_together_are_trained_alone(
    make_run: MakeRun, own_module: Callable[..., str], tmp_path: Path
) -> None:
    breaks = "if any(m.seed == m.updates == 1 for m in self.members): 1 / 0\n        rows = "
    own = (f"policy.method={own_module(('rows = ', breaks))}", "awr.width=8", "awr.updates=9")

    async def test() -> None:
        broker, worker = Broker(tmp_path), Worker("a", tmp_path, 3, "cpu")
        for seed in (0, 1, 2):
            await broker.submit(str(seed), make_run(*own, seed=seed).jobs)
        assert len((await turn(broker, worker)).admit) == 3  # their update breaks
        await run_out(broker, worker)
        for seed, end in ((0, "finished"), (1, "failed"), (2, "finished")):
            assert ends(await events_of(broker, str(seed))) == [("policy", end)]

    check(test)


@pytest.mark.slow
def test_deaths_count_only_where_nothing_was_gained(make_run: MakeRun, tmp_path: Path) -> None:
    async def test() -> None:
        broker, run = Broker(tmp_path), make_run("behaviour.updates=600")
        await broker.submit("one", run.jobs)
        for _ in range(SETBACKS + 2):
            worker = Worker("a", tmp_path, 1, "cpu")
            await turn(broker, worker)
            for active in worker.runner.active.values():
                worker.runner.save(active.job)
            await broker.pull(*worker.pull_arguments)
        await run_out(broker, Worker("a", tmp_path, 1, "cpu"))
        assert ends(await events_of(broker, "one")) == WHOLE

    check(test)


@pytest.mark.slow
def test_a_damaged_snapshot_upstream_is_trained_again(make_run: MakeRun, tmp_path: Path) -> None:
    async def test() -> None:
        broker, worker, run = Broker(tmp_path), Worker("a", tmp_path, 1, "cpu"), make_run()
        behaviour, critic, _ = run.jobs
        await broker.submit("one", run.jobs)
        while (orders := await broker.pull(*worker.pull_arguments)).admit != (critic,):
            worker.follow(orders)
        folder = JobStore(tmp_path).artefacts.folder("behaviour", behaviour.key)
        for path in folder.glob("*.pt"):
            path.write_bytes(b"damaged")
        worker.follow(orders)
        assert "damaged" in worker.events[-1].reason
        await run_out(broker, worker)
        assert ends(await events_of(broker, "one")) == WHOLE
        assert attempts(tmp_path, behaviour) == 2

    check(test)


def test_a_job_whose_data_changed_fails_with_all_that_build_on_it(
    make_run: MakeRun, tmp_path: Path
) -> None:
    async def test() -> None:
        run = make_run()
        gone = Run(run.task, run.config, 0, str(tmp_path / "gone.hdf5"), "a" * 64)
        broker, worker = Broker(tmp_path), Worker("a", tmp_path, 1, "cpu")
        await broker.submit("one", gone.jobs)
        await run_out(broker, worker)
        events = await events_of(broker, "one")
        assert ends(events) == [(s, "failed") for s in ("behaviour", "critic", "policy")]
        assert all("does not exist" in r.reason for r in events)

    check(test)


def test_what_builds_on_a_diverged_job_is_lost_too(make_run: MakeRun, tmp_path: Path) -> None:
    async def test() -> None:
        run = make_run()
        note = {"updates": 100, "reason": "critic loss is nan at update 100"}
        JobStore(tmp_path).artefacts.write_sidecar("critic", run.jobs[1].key, "diverged", note)
        broker = Broker(tmp_path)
        await broker.submit("one", run.jobs)
        events = await events_of(broker, "one")
        assert ends(events) == [("critic", "diverged"), ("policy", "diverged")]
        assert {r.reason for r in events} == {note["reason"]}
        assert [job.stage for job in broker.graph.left] == ["behaviour"]

    check(test)
