"""Jobs by themselves: what they build on, which can train together."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures.own_tasks import PENDULUM

from qipo_ray.study.job import CheckpointRef, EvalPoint, Run, fits_pack
from qipo_ray.study.task_file import read_task
from qipo_ray.train.dataset import data_key

MakeRun = Callable[..., Run]


def test_each_stage_builds_on_those_before(make_run: MakeRun) -> None:
    behaviour, critic, policy = make_run().jobs
    assert behaviour.upstream == ()
    assert critic.upstream == (behaviour.snapshot,)
    assert policy.upstream == (behaviour.snapshot, critic.snapshot)
    assert policy.snapshot == CheckpointRef("policy", policy.key, 300)


def test_a_search_scores_its_policy_at_the_rungs_alone(make_run: MakeRun) -> None:
    run = replace(make_run(), rungs=(100, 300))
    assert [job.evaluations for job in run.jobs[:2]] == [(), ()]
    assert run.jobs[2].evaluations == (EvalPoint(100, 3), EvalPoint(300, 3))


def test_a_search_by_a_signal_rolls_nothing_out_and_its_confirmed_runs_are_scored(
    make_run: MakeRun,
) -> None:
    confirmed = replace(make_run("evaluation.signals=fqe"), objective="fqe")
    searched = replace(confirmed, rungs=(100, 300))
    assert [job.evaluations for job in searched.jobs[:2]] == [(), ()]
    assert searched.jobs[2].evaluations == (EvalPoint(100, 0), EvalPoint(300, 0))
    assert not searched.rolled_out and confirmed.rolled_out
    plain = make_run().jobs[2].evaluations
    assert confirmed.jobs[2].evaluations == (*plain, EvalPoint(300, 0))
    both = replace(searched, objective="score").jobs[2].evaluations
    assert {point.kind for point in both} == {"score", "signals"} and len(both) == 4


def test_a_run_of_other_length_has_the_same_keys(make_run: MakeRun) -> None:
    short, long = make_run().jobs[2], make_run("policy.rounds=3").jobs[2]
    assert short.key == long.key and short.length < long.length


@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        (["policy.beta=1"], True),
        (["policy.trust=4", "policy.learning_rate=1e-3"], True),
        (["policy.support_size=3"], False),
        (["behaviour.width=24"], False),
        (["critic.judge=mean"], True),
        (["critic.pairs=2"], False),
    ],
)
def test_members_of_a_pack_differ_in_columns_alone(
    make_run: MakeRun, changes: list[str], fits: bool
) -> None:
    job, other = make_run().jobs[2], make_run(*changes, seed=1).jobs[2]
    assert fits_pack(job, []) and fits_pack(other, [job]) == fits
    assert not fits_pack(job, [job])  # one key trains once at a time


def test_jobs_of_two_stages_never_share_a_pack(make_run: MakeRun) -> None:
    behaviour, critic, _ = make_run().jobs
    assert not fits_pack(critic, [behaviour])


def test_own_tasks_of_one_name_share_no_job(make_run: MakeRun, tmp_path: Path) -> None:
    tasks = []
    for horizon in (25, 26):
        path = tmp_path / "task.yaml"
        path.write_text(PENDULUM.replace("200", str(horizon)))
        tasks.append(read_task(path))
    first, second = (replace(make_run(), task=task.id, own_task=task) for task in tasks)
    jobs = [*first.jobs, *second.jobs, *make_run().jobs]
    assert len({job.key for job in jobs}) == 9 and len({data_key(job) for job in jobs}) == 3
    assert not any(fits_pack(a, [b]) for a, b in zip(first.jobs, second.jobs, strict=True))
    sent = pickle.loads(pickle.dumps(first.jobs[2]))  # to a worker, which has no file of it
    assert sent == first.jobs[2] and sent.task_facts == tasks[0]
    bare = replace(first, own_task=replace(tasks[0], own=replace(tasks[0].own, environment=None)))
    assert all(job.evaluations == () for job in bare.jobs) and first.jobs[2].evaluations
