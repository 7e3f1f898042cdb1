"""The policy of a snapshot: which weights it has, and from how much noise it acts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from qipo_ray.agent import Member, State, pack_of
from qipo_ray.agent.acting import beside_critic
from qipo_ray.agent.judge import Judge
from qipo_ray.config import method_of
from qipo_ray.data.tasks import get_task
from qipo_ray.study.job import Run
from qipo_ray.train.best_by_q import score_best_by_q
from qipo_ray.train.checkpoint_policy import CheckpointPolicy
from qipo_ray.train.dataset import tensors_of
from qipo_ray.train.scoring import score_state


def trained(run: Run) -> dict[str, State]:
    data = tensors_of(run.jobs[0], torch.device("cpu"))
    states: dict[str, State] = {}
    for stage in method_of(run.config).stages:
        pack = pack_of(stage, run.config, data)
        pack.admit(Member(run.config, 0), dict(states), None)
        for _ in range(3):
            pack.update()
        states[stage] = pack.state(0)
    return states


def test_a_one_step_policy_acts_from_the_noise_that_it_is_given(
    make_run: Callable[..., Run],
) -> None:
    """By its last network in one pass, scaled as a flow's noise is; scores say from how much."""
    small = ("policy.method=fql", "fql.width=16", "fql.layers=2", "evaluation.weights=ema")
    run, silent = make_run(*small), make_run(*small, "sampler.noise=0")
    assert [job.key for job in silent.jobs] == [job.key for job in run.jobs]
    state = trained(run)["policy"]
    rows, noise = torch.rand(5, 2), torch.randn(5, 2)
    loud, quiet = (CheckpointPolicy(r.config, state) for r in (run, silent))
    assert torch.equal(quiet(rows, noise), loud(rows, torch.zeros(5, 2)))
    assert not torch.equal(loud(rows, noise), loud(rows, torch.zeros(5, 2)))
    assert loud(rows, 100 * noise).abs().max() <= 1


@pytest.mark.parametrize("weights", ["online", "ema"])
def test_cloning_and_policy_are_scored_by_the_same_kind_of_weights(
    make_run: Callable[..., Run], weights: str
) -> None:
    run = make_run(f"evaluation.weights={weights}")
    states = trained(run)
    for stage in ("behaviour", "policy"):
        found = states[stage]["weights"]
        assert not torch.equal(found["online"], found["ema"])
        first = next(iter(CheckpointPolicy(run.config, states[stage]).weights.values())).flatten()
        assert torch.equal(first, found[weights][0, : len(first)])


def test_noise_is_scaled_where_a_policy_acts_and_nowhere_else(
    make_run: Callable[..., Run],
) -> None:
    run, silent, half = make_run(), make_run("sampler.noise=0"), make_run("sampler.noise=0.5")
    assert [job.key for job in silent.jobs] == [job.key for job in run.jobs]
    assert [job.shape for job in silent.jobs] == [job.shape for job in run.jobs]
    states = trained(run)
    task = get_task(run.task)
    rows, noise = torch.rand(5, 2), torch.randn(5, 2)
    loud = CheckpointPolicy(run.config, states["policy"])
    quiet = CheckpointPolicy(silent.config, states["policy"])
    between = CheckpointPolicy(half.config, states["policy"])
    assert torch.equal(quiet(rows, noise), loud(rows, torch.zeros(5, 2)))
    assert torch.equal(between(rows, noise), loud(rows, noise / 2))
    scores = [
        score_state(task, config, states["policy"], 3, seed)
        for config in (run.config, silent.config)
        for seed in (None, None)
    ]
    assert scores[0] == scores[1] != scores[2] == scores[3]
    behaviour, critic = states["behaviour"], states["critic"]
    first, second = (
        score_best_by_q(task, config, behaviour, critic, 3)
        for config in (run.config, silent.config)
    )
    assert first == second


@pytest.mark.parametrize(
    "changes",
    [
        ("evaluation.weights=ema", "critic.pairs=2", "critic.judge=lower"),
        ("policy.method=qgpo", "qgpo.width=16", "qgpo.pool=50", "qgpo.guidance=2"),
    ],
    ids=["qipo", "qgpo"],
)
def test_the_best_of_its_actions_by_its_own_critic_is_taken(
    make_run: Callable[..., Run], changes: tuple[str, ...]
) -> None:
    """The same jobs; each state alone, by the policy of one action and the judge of reports."""
    half = "sampler.noise=0.5"
    run, one = make_run(*changes, half, "sampler.best_of=5"), make_run(*changes, half)
    assert [(job.key, job.shape) for job in run.jobs] == [(job.key, job.shape) for job in one.jobs]
    states = trained(run)
    acting = beside_critic(run.config, states["policy"], states["critic"])
    policy, single = (
        CheckpointPolicy(run.config, acting),
        CheckpointPolicy(one.config, states["policy"]),
    )
    judge = Judge(run.config, states["critic"])
    rows, noise = torch.rand(6, 2), torch.randn(6, policy.noise_dim)
    for row, start, action in zip(rows, noise, policy(rows, noise), strict=True):
        proposed = single(row.expand(5, -1), start.view(5, 2))
        q = judge.value(policy.normaliser(row[None]), proposed[None])[0]
        torch.testing.assert_close(action, proposed[q.argmax()], rtol=1e-4, atol=1e-5)
    behaviour, task = states["behaviour"], get_task(run.task)
    assert score_state(task, run.config, behaviour, 3) == score_state(
        task, one.config, behaviour, 3
    )
    assert score_best_by_q(task, run.config, behaviour, states["critic"], 3) == score_best_by_q(
        task, one.config, behaviour, states["critic"], 3
    )
