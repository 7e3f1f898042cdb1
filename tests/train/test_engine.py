"""The engine: slots, shapes, marks, and members at different updates."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from qipo_ray.agent import Tensors
from qipo_ray.data.tasks import get_task
from qipo_ray.data.transitions import Dataset, transitions
from qipo_ray.study.job import Run
from qipo_ray.train.engine import Engine, EngineEvent


@pytest.fixture(scope="module")
def tensors(point: Dataset) -> Tensors:
    rows = transitions(point, get_task("point"), "paper", 0.99)
    return Tensors.from_transitions(rows, "standard", torch.device("cpu"))


def kinds(events: list[EngineEvent]) -> list[tuple[str, int]]:
    return [(event.kind, event.updates) for event in events]


@pytest.mark.slow
def test_jobs_come_and_go_at_different_updates(
    make_run: Callable[..., Run], tensors: Tensors
) -> None:
    long = make_run("behaviour.updates=250", seed=0).jobs[0]
    short = make_run("behaviour.updates=100", seed=1).jobs[0]
    engine = Engine(slots=2)
    engine.admit(long, tensors, {})
    assert kinds(engine.advance(60)) == []
    engine.admit(short, tensors, {})
    assert not engine.fits(make_run(seed=2).jobs[0])  # no slot is free
    assert kinds(engine.advance(60)) == [("metrics", 100)]  # of the long one
    assert (engine.updates(long.key), engine.updates(short.key)) == (120, 60)
    events = engine.advance(1000)
    assert kinds(events) == [("metrics", 100), ("finished", 100)] and events[0].job == short
    engine.drop(short.key)
    assert kinds(engine.advance(1000)) == [("metrics", 200), ("finished", 250)]
    engine.drop(long.key)
    assert engine.jobs == [] and engine.fits(make_run().jobs[2])


@pytest.mark.slow
def test_marks_stop_the_engine_at_exactly_their_update(
    make_run: Callable[..., Run], tensors: Tensors
) -> None:
    run = make_run()
    states = {}
    for job in run.jobs[:2]:
        engine = Engine(1)
        engine.admit(job, tensors, dict(states))
        while not any(e.kind == "finished" for e in engine.advance(1000)):
            pass
        states[job.stage] = engine.state(job.key)
    engine = Engine(1)
    engine.admit(run.jobs[2], tensors, states)
    seen = []
    while not seen or seen[-1][0] != "finished":
        seen += [e for e in kinds(engine.advance(1000)) if e[0] != "metrics"]
    assert seen == [("mark", 100), ("mark", 200), ("finished", 300)]
    assert engine.state(run.jobs[2].key)["updates"] == 300


def test_only_equal_shapes_share_an_engine(make_run: Callable[..., Run], tensors: Tensors) -> None:
    engine = Engine(slots=4)
    engine.admit(make_run().jobs[0], tensors, {})
    columns = make_run("behaviour.learning_rate=1e-2", "behaviour.updates=900", "policy.beta=1")
    assert engine.fits(columns.jobs[0])
    for change in ("behaviour.width=32", "behaviour.batch_size=64", "behaviour.path=vp"):
        assert not engine.fits(make_run(change, seed=1).jobs[0])
    assert not engine.fits(make_run(seed=1).jobs[1])  # another stage
    assert not engine.fits(make_run().jobs[0])  # the same key twice
    with pytest.raises(ValueError, match="no slot"):
        engine.admit(make_run("behaviour.width=32").jobs[0], tensors, {})


def test_shapes_of_policy_jobs(make_run: Callable[..., Run]) -> None:
    """What is a column may differ in a pack, all else may not."""

    def shape(*changes: str) -> str:
        return make_run(*changes).jobs[2].shape

    same = (
        "policy.beta=1",
        "policy.rounds=5",
        "policy.renew_every=10",
        "policy.learning_rate=1e-4",
    )
    assert {shape(change) for change in same} == {shape()}
    other = (
        "policy.support_size=5", "policy.batch_size=8", "sampler.evaluations=6",
        "critic.width=32", "behaviour.path=vp", "policy.loss_actions=1",
    )  # fmt: skip
    assert len({shape(), *(shape(change) for change in other)}) == 1 + len(other)


@pytest.mark.slow
@pytest.mark.parametrize("path", ["ot", "vp", "trig"])
def test_a_job_that_diverges_by_itself_ends_with_its_reason(
    make_run: Callable[..., Run], tensors: Tensors, path: str
) -> None:
    """One with a rate that is merely too large for its own good goes on."""
    for rate, ends in ((1, True), (0.02, False)):
        engine = Engine(1)
        changes = (
            f"behaviour.learning_rate={rate}",
            f"behaviour.path={path}",
            "behaviour.width=64",
        )
        engine.admit(make_run(*changes).jobs[0], tensors, {})
        (event,) = engine.advance(100)
        assert (event.kind == "diverged") == ends and event.updates == 100
        if ends:
            assert re.fullmatch(
                r"behaviour loss is [\d.e+]+ at update 100, beyond 2000", event.reason
            )


def test_a_job_with_weights_that_are_not_finite_ends_with_its_reason(
    make_run: Callable[..., Run], tensors: Tensors
) -> None:
    engine = Engine(1)
    engine.admit(make_run().jobs[0], tensors, {})
    engine._pack._stacks["online"].stack.flat.fill_(float("inf"))  # type: ignore[attr-defined]
    (event,) = engine.advance(1000)
    assert event.kind == "diverged" and event.updates == 100
    assert event.reason.startswith("behaviour loss is nan at update 100")


def test_jobs_travel(make_run: Callable[..., Run], tmp_path: Path) -> None:
    import pickle

    for job in make_run().jobs:
        assert pickle.loads(pickle.dumps(job)) == job
