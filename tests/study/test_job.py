"""Jobs by themselves: what they build on, which can train together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from qipo_ray.study.job import CheckpointRef, EvalPoint, Run, fits_pack

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
