"""Signals of a policy: beside training they change nothing, and side by side they are the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest
from fixtures.tiny_runs import train_jobs

from qipo_ray.agent import State
from qipo_ray.config.evaluations import signals_name
from qipo_ray.errors import Failure
from qipo_ray.study.job import EvalPoint, Run
from qipo_ray.study.job_events import JobEvent
from qipo_ray.train import signals as signals_module
from qipo_ray.train.job_store import JobStore
from qipo_ray.train.runner import JobRunner
from qipo_ray.train.scoring import score_state

SIGNALS = ("evaluation.signals=fqe", "evaluation.fqe_updates=20")


@pytest.mark.slow
def test_a_run_trains_the_same_and_jobs_side_by_side_have_the_signals_of_each(
    make_run: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, other, second = (
        replace(
            make_run("policy.rounds=1", *changes, seed=seed), rungs=(150,), objective=objective
        )
        for changes, seed, objective in (
            ((), 0, "score"),
            (SIGNALS, 0, "fqe"),
            (SIGNALS, 1, "fqe"),
        )
    )
    assert [job.key for job in plain.jobs] == [job.key for job in other.jobs]
    (at,) = (point for job in other.jobs for point in job.evaluations)  # nothing is rolled out
    assert at == EvalPoint(150, 0)
    train_jobs(tmp_path / "alone", [*other.jobs, *second.jobs])
    for name in ("plain", "together", "broken"):  # their clones and critics
        copytree(tmp_path / "alone", tmp_path / name, ignore=ignore_patterns("policy-*"))
    train_jobs(tmp_path / "plain", plain.jobs)
    states = [
        JobStore(tmp_path / name).state(plain.jobs[-1].snapshot) for name in ("plain", "alone")
    ]
    before, after = (state["weights"]["online"] for state in states)
    assert before.equal(after) and states[0]["generator"].equal(states[1]["generator"])
    without, beside = (
        score_state(run.task_facts, run.config, states[0], 2) for run in (plain, other)
    )
    assert sum(beside.pop("each")) / 2 == pytest.approx(without["normalised"])
    assert beside == without  # single episodes are kept where signals are held against them

    sizes = []
    measure = signals_module.fitted_q

    def counted(policies: list, *rest: object) -> list:
        sizes.append(len(policies))
        return measure(policies, *rest)

    monkeypatch.setattr(signals_module, "fitted_q", counted)
    root = tmp_path / "together"
    runner = JobRunner(root, slots=2)
    events: list[JobEvent] = [e for run in (other, second) for e in runner.admit(run.jobs[-1])]
    while runner.active:
        events += runner.step()
    assert sizes == [2]
    for run in (other, second):
        alone = JobStore(tmp_path / "alone").score(run.jobs[-1], at)
        (told,) = (
            e.score for e in events if e.snapshot == run.jobs[-1].snapshot and e.kind == "signals"
        )
        assert told == JobStore(root).score(run.jobs[-1], at) and alone is not None
        assert told["fqe"]["mean"] == pytest.approx(alone["fqe"]["mean"], rel=1e-4)
        assert told["td_error"] == pytest.approx(alone["td_error"], rel=1e-4)
        assert told["behaviour_loss"] == pytest.approx(alone["behaviour_loss"], rel=1e-4)

    runner = JobRunner(tmp_path / "broken", slots=2)
    first, last = (run.jobs[-1] for run in (other, second))
    state_of = runner.engine.state

    def breaking(key: str) -> State:
        if key == first.key:
            raise Failure("its state broke")
        return state_of(key)

    monkeypatch.setattr(runner.engine, "state", breaking)
    events = [event for job in (first, last) for event in runner.admit(job)]
    while runner.active:
        events += runner.step()
    ends = {event.snapshot: (event.kind, event.reason) for event in events if event.ended}
    assert ends == {first.snapshot: ("failed", "its state broke"), last.snapshot: ("finished", "")}


def test_a_name_says_what_was_measured_and_how_long(make_run: Callable[..., Run]) -> None:
    fqe, longer, errors = (
        make_run("evaluation.signals=fqe").config,
        make_run("evaluation.signals=fqe", "evaluation.fqe_updates=9").config,
        make_run("evaluation.signals=errors").config,
    )
    names = {signals_name(config, 300) for config in (fqe, longer, errors)}
    assert len(names) == 3 and all("000000300" in name for name in names)
    assert not any(name.startswith("score") for name in names)
