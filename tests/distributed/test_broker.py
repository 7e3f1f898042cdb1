"""The broker with real workers and no Ray: every job is trained once, also if processes die."""

from __future__ import annotations

import asyncio
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

from qipo_ray.distributed import broker as broker_module
from qipo_ray.distributed.broker import GRACE_S, SILENT_S, Broker, Orders, Process
from qipo_ray.distributed.worker import Worker
from qipo_ray.study.job_events import JobEvent
from qipo_ray.train.job_queue import EVERYONE
from qipo_ray.train.job_store import JobStore

pytestmark = pytest.mark.usefixtures("hurry")


@pytest.mark.slow
def test_two_workers_train_two_runs_and_each_subscriber_gets_its_own(
    make_run: MakeRun, tmp_path: Path
) -> None:
    async def test() -> None:
        broker, one, two = Broker(tmp_path), make_run(), make_run(seed=1)
        workers = [Worker(name, tmp_path, 1, "cpu") for name in ("a", "b")]
        await broker.submit("one", one.jobs)
        await broker.submit("two", two.jobs)
        for worker in workers:
            await turn(broker, worker)
        running = [job.seed for worker in workers for job in broker.graph.owned(worker.name)]
        assert running == [0, 1]
        await run_out(broker, *workers)
        for subscriber, run in (("one", one), ("two", two)):
            events = await events_of(broker, subscriber)
            assert {r.snapshot for r in events} == {job.snapshot for job in run.jobs}
            assert ends(events) == WHOLE
            scores = [(r.updates, r.score["episodes"]) for r in events if r.score]
            assert scores == [(200, 5), (100, 3), (50, 3), (100, 5)]
        assert len(ends(await events_of(broker, EVERYONE))) == 6

    check(test)


@pytest.mark.slow
def test_equal_keys_train_once_for_two_subscribers(make_run: MakeRun, tmp_path: Path) -> None:
    async def test() -> None:
        broker, worker = Broker(tmp_path), Worker("a", tmp_path, 1, "cpu")
        one, two = make_run(), make_run("policy.beta=1")
        await broker.submit("one", one.jobs)
        await broker.submit("two", two.jobs)
        await broker.submit("two", two.jobs)
        await run_out(broker, worker)
        assert len(ends(await events_of(broker, EVERYONE))) == 4
        assert (
            ends(await events_of(broker, "one")) == ends(await events_of(broker, "two")) == WHOLE
        )
        assert attempts(tmp_path, one.jobs[0]) == 1

    check(test)


@pytest.mark.slow
def test_what_the_store_knows_is_delivered_and_not_trained(
    make_run: MakeRun, tmp_path: Path
) -> None:
    async def test() -> None:
        run, worker = make_run(), Worker("a", tmp_path, 1, "cpu")
        first = Broker(tmp_path)
        await first.submit("one", run.jobs)
        await run_out(first, worker)
        before = [r for r in await events_of(first, "one") if r.lasting]
        second = Broker(tmp_path)
        await second.submit("one", run.jobs)
        after = await events_of(second, "one")
        assert {r.topic for r in after} == {r.topic for r in before} and ends(after) == WHOLE
        assert [r.score for r in after if r.score] == [r.score for r in before if r.score]
        assert (await turn(second, worker)).admit == ()

    check(test)


@pytest.mark.slow
def test_a_job_that_another_waits_for_is_not_stopped(make_run: MakeRun, tmp_path: Path) -> None:
    async def test() -> None:
        broker, worker = Broker(tmp_path), Worker("a", tmp_path, 1, "cpu")
        one, two = make_run(), make_run("policy.beta=1")
        await broker.submit("one", one.jobs)
        await broker.submit("two", two.jobs)
        await turn(broker, worker)
        await broker.cancel("one")
        assert (await turn(broker, worker)).stop == ()
        await run_out(broker, worker)
        assert ends(await events_of(broker, "two")) == WHOLE
        assert attempts(tmp_path, one.jobs[-1]) == 0  # it left the queue

    check(test)


@pytest.mark.slow
def test_cancelled_work_goes_on_where_it_was(make_run: MakeRun, tmp_path: Path) -> None:
    async def test() -> None:
        broker, worker = Broker(tmp_path), Worker("a", tmp_path, 1, "cpu")
        run = make_run()
        behaviour = run.jobs[0]
        await broker.submit("one", run.jobs)
        await turn(broker, worker)
        await broker.cancel("one")
        assert (await turn(broker, worker)).stop == (behaviour.key,)
        assert (await turn(broker, worker)) == Orders() and not worker.runner.active
        assert broker.graph.entries == {}
        assert JobStore(tmp_path).artefacts.lengths("behaviour", behaviour.key) == [100]
        await broker.submit("two", run.jobs)
        await turn(broker, worker)
        first = next(r for r in worker.events if r.kind == "progress")
        assert first.updates == 100
        await run_out(broker, worker)
        assert ends(await events_of(broker, "two")) == WHOLE

    check(test)


@pytest.mark.slow
def test_a_worker_that_comes_back_gets_its_jobs_again_and_the_dead_one_is_sent_away(
    make_run: MakeRun, tmp_path: Path
) -> None:
    async def test() -> None:
        broker, run = Broker(tmp_path), make_run()
        old = Worker("a", tmp_path, 1, "cpu")
        await broker.submit("one", run.jobs)
        await turn(broker, old)
        new = Worker("a", tmp_path, 1, "cpu")
        assert (await turn(broker, new)).admit == (run.jobs[0],)
        assert await turn(broker, old) == Orders(close=True)
        assert old.events[-1].kind == "dropped" and "took over" in old.events[-1].reason
        await run_out(broker, new)
        assert ends(await events_of(broker, "one")) == WHOLE

    check(test)


@pytest.mark.slow
def test_the_jobs_of_a_silent_worker_go_to_another(make_run: MakeRun, tmp_path: Path) -> None:
    now = 0.0

    async def test() -> None:
        nonlocal now
        broker, run = Broker(tmp_path, clock=lambda: now), make_run()
        silent, other = (Worker(name, tmp_path, 1, "cpu") for name in ("a", "b"))
        await broker.submit("one", run.jobs)
        await turn(broker, silent)
        now = SILENT_S
        await broker.beat("a", silent.process)
        now = SILENT_S * 2
        assert (await turn(broker, other)).admit == ()  # the beat counts
        now += 1
        assert (await turn(broker, other)).admit == (run.jobs[0],)
        assert not broker.graph.owned("a")
        orders = await turn(broker, silent)  # it wakes, with an event of a job that it lost
        assert orders.stop == (run.jobs[0].key,)
        await run_out(broker, other, silent)
        assert ends(await events_of(broker, "one")) == WHOLE

    check(test)


@pytest.mark.slow
def test_after_a_restart_running_jobs_stay_where_they_are(
    make_run: MakeRun, tmp_path: Path
) -> None:
    now = 0.0

    async def test() -> None:
        nonlocal now
        first, run = Broker(tmp_path, clock=lambda: now), make_run()
        busy, idle = (Worker(name, tmp_path, 1, "cpu") for name in ("a", "b"))
        life = await first.submit("one", run.jobs)
        await turn(first, busy)
        second = Broker(tmp_path, restarted=True, clock=lambda: now)
        answer = await second.poll("one", life, 99, 60.0)  # at once: the client must submit again
        assert answer.life == second.life != life
        await second.submit("one", run.jobs)
        assert (await turn(second, idle)).admit == ()  # the job may be in somebody's slot
        assert (await turn(second, busy)).stop == ()
        now = GRACE_S
        await run_out(second, idle, busy)
        assert ends(await events_of(second, "one")) == WHOLE
        assert attempts(tmp_path, run.jobs[0]) == 1

    check(test)


def test_after_a_restart_jobs_that_nobody_wants_again_are_stopped(
    make_run: MakeRun, tmp_path: Path
) -> None:
    now = 0.0

    async def test() -> None:
        nonlocal now
        first, run, worker = Broker(tmp_path), make_run(), Worker("a", tmp_path, 1, "cpu")
        await first.submit("one", run.jobs)
        await turn(first, worker)
        second = Broker(tmp_path, restarted=True, clock=lambda: now)
        orders = await second.pull(*worker.pull_arguments)
        assert orders.stop == ()
        now = GRACE_S
        assert (await turn(second, worker)).stop == (run.jobs[0].key,)
        await turn(second, worker)
        assert second.graph.entries == {}

    check(test)


@pytest.mark.slow
def test_a_pack_takes_jobs_of_one_shape(make_run: MakeRun, tmp_path: Path) -> None:
    async def test() -> None:
        broker, worker = Broker(tmp_path), Worker("a", tmp_path, 3, "cpu")
        runs = [make_run(), make_run("behaviour.width=24"), make_run(seed=1)]
        for run in runs:
            await broker.submit(f"{run.seed}-{run.config.behaviour.width}", run.jobs)
        assert [job.seed for job in (await turn(broker, worker)).admit] == [0, 1]
        await run_out(broker, worker)
        assert len(ends(await events_of(broker, EVERYONE))) == 9

    check(test)


def test_closing_saves_and_sends_away(make_run: MakeRun, tmp_path: Path) -> None:
    async def test() -> None:
        broker, worker, run = Broker(tmp_path), Worker("a", tmp_path, 1, "cpu"), make_run()
        await broker.submit("one", run.jobs)
        await turn(broker, worker)
        await broker.close()
        assert (await turn(broker, worker)).close and not worker.runner.active
        assert JobStore(tmp_path).artefacts.lengths("behaviour", run.jobs[0].key) == [100]

    check(test)


def test_polls_and_idle_workers_wake_on_a_change(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_module, "IDLE_S", 50.0)

    async def test() -> None:
        broker, worker, run = Broker(tmp_path), Worker("a", tmp_path, 1, "cpu"), make_run()
        life = await broker.submit("one", [])
        answer = asyncio.create_task(broker.poll("one", life, 0, 50.0))
        pull = asyncio.create_task(broker.pull(*worker.pull_arguments))
        await asyncio.sleep(0)
        await broker.submit("one", run.jobs)
        worker.follow(await pull)
        assert not answer.done()
        await broker.pull(*worker.pull_arguments)
        assert [r.kind for r in (await answer).events] == ["progress"]

    check(test)


def test_a_change_wakes_those_alone_whom_it_concerns(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of the idle workers for each job, and no client without an event."""
    monkeypatch.setattr(broker_module, "IDLE_S", 50.0)

    async def test() -> None:
        broker, run = Broker(tmp_path), make_run()
        looks: list[str] = []
        start, poll = broker.graph.start, broker.queue.poll
        monkeypatch.setattr(
            broker.graph, "start", lambda *to: (looks.append("start"), start(*to))[1]
        )
        monkeypatch.setattr(broker.queue, "poll", lambda *by: (looks.append("poll"), poll(*by))[1])
        process = [Process(str(number)) for number in range(9)]
        pulls = [
            asyncio.create_task(broker.pull(one.incarnation, one, 1, [], [])) for one in process
        ]
        polls = [
            asyncio.create_task(broker.poll(str(number), broker.life, 0, 50.0))
            for number in range(9)
        ]
        await asyncio.sleep(0)
        looks.clear()
        await broker.submit("8", run.jobs)
        await broker.submit("7", make_run(seed=1).jobs)
        await asyncio.wait(pulls, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0)
        assert looks.count("poll") == 0 and looks.count("start") <= 4
        job = (await pulls[0]).admit[0]
        await broker.pull("0", process[0], 1, [job], [JobEvent("progress", job.snapshot, 1, 0.0)])
        assert [event.kind for event in (await polls[8]).events] == ["progress"]
        assert looks.count("poll") == 1 and sum(pull.done() for pull in pulls) == 2
        await broker.close()
        assert all(orders.close for orders in await asyncio.gather(*pulls[2:]))
        for call in polls[:8]:
            call.cancel()

    check(test)
