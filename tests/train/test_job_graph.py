"""Which job starts next, and what a failure takes with it."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qipo_ray.config import STAGES
from qipo_ray.study.job import Job, Run
from qipo_ray.study.job_events import JobEvent
from qipo_ray.train.job_graph import JobGraph
from qipo_ray.train.job_store import JobStore

MakeRun = Callable[..., Run]


@pytest.fixture
def graph(tmp_path: Path) -> JobGraph:
    return JobGraph(JobStore(tmp_path))


def add(graph: JobGraph, run: Run, subscriber: str = "one") -> tuple[Job, Job, Job]:
    for job in run.jobs:
        graph.add(job, subscriber)
    return run.jobs


def test_a_stage_waits_for_those_before(graph: JobGraph, make_run: MakeRun) -> None:
    behaviour, critic, _ = add(graph, make_run())
    assert graph.start("a") == behaviour and graph.start("b") is None
    graph.finish(behaviour.snapshot)
    assert graph.start("b") == critic


def test_equal_jobs_are_one_and_get_the_union_of_their_evaluations(
    graph: JobGraph, make_run: MakeRun
) -> None:
    policy = add(graph, make_run())[2]
    add(graph, make_run("evaluation.every=140"), "two")
    entry = graph.entries[policy.snapshot]
    assert entry.subscribers == {"one", "two"} and len(graph.entries) == 3
    assert [point.updates for point in entry.job.evaluations] == [100, 140, 200, 280, 300]


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("subscribers", ["aa", "ab"])
def test_a_clone_is_scored_where_one_of_its_runs_asks_for_it(
    graph: JobGraph, make_run: MakeRun, first: int, subscribers: str
) -> None:
    """Cloning asks for no score of its clone, QIPO does, in whatever order they come."""
    runs = [make_run(), make_run("policy.method=cloning")]
    wanted = runs[0].jobs[0]
    for i, subscriber in zip((first, 1 - first), subscribers, strict=True):
        add(graph, runs[i], subscriber)
    entry = graph.entries[wanted.snapshot]
    assert entry.job == wanted and wanted.evaluations and not runs[1].jobs[0].evaluations
    graph.finish(wanted.snapshot)  # a score that comes later opens it again
    add(graph, make_run("evaluation.final_episodes=7"), subscribers[0])
    assert wanted.snapshot not in graph.done and len(entry.job.evaluations) == 2


def test_a_job_that_has_ended_may_be_asked_to_act_otherwise(
    graph: JobGraph, make_run: MakeRun
) -> None:
    """By those who come when nobody waits for it any more; the store says what it has of that."""
    run, silent = make_run(), make_run("sampler.noise=0")
    policy = add(graph, run)[2]
    add(graph, silent, "two")
    assert graph.entries[policy.snapshot].job.config == run.config
    for ended in ("done", "diverged"):
        if ended == "done":
            graph.finish(policy.snapshot)
        else:
            graph.failed[policy.snapshot] = JobEvent("diverged", policy.snapshot, 300, 0.0)
        for subscriber in ("one", "two"):
            graph.withdraw(subscriber)
        again = add(graph, silent if ended == "done" else run)[2]
        assert graph.entries[policy.snapshot].job == again
        assert not graph.done and not graph.failed


def test_of_one_key_the_shorter_job_goes_first_and_alone(
    graph: JobGraph, make_run: MakeRun
) -> None:
    long = add(graph, make_run("behaviour.updates=300"))[0]
    short = add(graph, make_run("behaviour.updates=100"), "two")[0]
    assert long.key == short.key
    assert graph.start("a") == short and graph.start("b") is None


def test_a_job_that_nobody_waits_for_is_forgotten_or_handed_back(
    graph: JobGraph, make_run: MakeRun
) -> None:
    behaviour = add(graph, make_run())[0]
    graph.start("a")
    assert graph.withdraw("one") == [behaviour]  # in a slot: its worker is to stop it
    graph.settle(JobEvent("dropped", behaviour.snapshot, 50, 1.0))
    assert graph.entries == {}


def test_a_failure_takes_all_that_builds_on_it(graph: JobGraph, make_run: MakeRun) -> None:
    behaviour, _, policy = add(graph, make_run())
    graph.start("a")
    graph.settle(JobEvent("failed", behaviour.snapshot, 0, 0.0, reason="no data"))
    assert graph.failure_reason(policy.snapshot) == "no data" and graph.left == []


def test_an_owner_that_is_gone_gives_its_jobs_back(graph: JobGraph, make_run: MakeRun) -> None:
    behaviour = add(graph, make_run())[0]
    assert graph.start("a") == behaviour
    assert graph.release("a") == [behaviour]
    assert graph.start("b") == behaviour and graph.owned("b") == [behaviour]


class Unread(dict[Any, Any]):
    """A dictionary that nobody goes through."""

    def refuse(self) -> Any:
        raise AssertionError("went through all jobs")

    __iter__ = keys = values = items = refuse


def first_of_all(graph: JobGraph, pack: list[Job]) -> Job | None:
    """Return what ``start`` is to give, from a look at every job."""
    busy = {snapshot.key for snapshot, entry in graph.entries.items() if entry.owner}
    ready = [
        entry.job
        for snapshot, entry in graph.entries.items()
        if entry.subscribers
        and snapshot not in graph.done
        and snapshot.key not in busy
        and all(below in graph.done for below in entry.job.upstream)
        and graph.failure_reason(snapshot) is None
        and graph.fits(entry.job, pack)
    ]
    return min(ready, key=lambda job: (STAGES.index(job.stage), job.length), default=None)


@pytest.mark.parametrize("seed", range(4))
def test_the_next_job_is_the_first_of_all_that_may_start(
    graph: JobGraph, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Whatever was added, given, ended or taken back before."""
    draw = random.Random(seed)
    settings = ("", "policy.beta=1", "critic.width=8", "behaviour.updates=200")
    runs = [make_run(*filter(None, [s]), seed=n) for s in settings for n in range(5)]
    stored: set[Job] = set()
    monkeypatch.setattr(graph.job_store, "done", stored.__contains__)
    monkeypatch.setattr(graph.job_store, "divergence", lambda job: None)

    def step() -> None:
        action, name = draw.choice("aaesswr"), str(draw.randrange(3))
        owned = graph.owned(name)
        if action == "a":
            for job in draw.choice(runs).jobs:
                graph.add(job, name)
        elif action == "w":
            graph.withdraw(name)
        elif action == "r":
            graph.release(name)
        elif action == "e" and owned:
            job, kind = draw.choice(owned), draw.choice(("finished",) * 9 + ("failed", "parted"))
            stored.update([job] if kind == "finished" else [])
            graph.settle(JobEvent(kind, job.snapshot, job.length, 0.0, reason="broken"))
        elif action == "s":
            pack = owned if draw.random() < 0.5 else []
            wanted = first_of_all(graph, pack)
            assert graph.start(name, pack) == wanted

    given = 0
    for _ in range(300):
        waits = first_of_all(graph, []) is not None
        assert graph.waits == waits
        given += waits
        step()
    assert given > 20


def test_no_call_goes_through_all_jobs(graph: JobGraph, make_run: MakeRun) -> None:
    graph.entries = Unread()
    add(graph, make_run())
    behaviour, critic, _ = add(graph, make_run(seed=1), "two")
    assert graph.start("a") and graph.start("b") == behaviour and not graph.waits
    graph.settle(JobEvent("failed", behaviour.snapshot, 0, 0.0, reason="no data"))
    assert graph.above(critic.snapshot) and graph.release("a")
    assert graph.withdraw("one") == graph.withdraw("two") == [] and not graph.waits
