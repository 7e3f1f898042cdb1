"""What is said of an own task that does not fit its data or its environment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qipo_ray.data.load import load
from qipo_ray.data.tasks import Task
from qipo_ray.errors import UserError
from qipo_ray.evaluation.own_checks import own_checks, random_rollouts, refuse_misfit
from qipo_ray.evaluation.replay import replay
from qipo_ray.study.task_file import read_task


def changed(task: Task, **values: object) -> Task:
    assert task.own is not None
    return replace(task, own=replace(task.own, **values))


def test_recorded_actions_are_scaled(pendulum: Path, pendulum_data: Path) -> None:
    task = read_task(pendulum)
    scaled, recorded = load(task), load(changed(task, low=(-1.0,), high=(1.0,)), pendulum_data)
    assert abs(recorded.actions).max() > 1.9 and scaled.own_task == task
    assert np.allclose(2 * scaled.actions, recorded.actions, atol=1e-6)
    with pytest.raises(UserError, match="an action has 1 number; `actions` of task .* bounds 2"):
        load(changed(task, low=(-1.0, -1.0), high=(1.0, 1.0)), pendulum_data)


def test_a_task_that_fits_has_no_fault(reach: Path) -> None:
    task = read_task(reach)
    dataset = load(task)
    refuse_misfit(dataset, task)
    results = {check.name: check for check in own_checks(dataset, task)}
    assert set(results) == {"bounds", "horizon", "environment", "sizes", "reset", "episode"}
    assert {check.verdict for check in results.values()} == {"ok"}
    assert "4 observed numbers, 2 of an action" in results["environment"].words
    assert "success" in results["episode"].words
    same = replay(dataset, task)
    assert same is not None and same.error < 1e-4 and same.rewards_off == 0
    shifted = replay(replace(dataset, actions=-dataset.actions), task)
    assert shifted is not None and shifted.error > 0.5


def test_what_does_not_fit_is_refused_with_file_and_key(pendulum: Path) -> None:
    task = read_task(pendulum)
    dataset = load(task)
    refuse_misfit(dataset, task)
    wider = replace(dataset, observations=np.tile(dataset.observations, 2))
    for data, wrong, words in (
        (dataset, replace(task, horizon=150), "horizon: 150; the longest episode of"),
        (replace(dataset, actions=1.5 * dataset.actions), task, "reach 1.49"),
        (wider, task, "Pendulum-v1 has 3 observed numbers and 1 of an action, .* has 6 and 1"),
    ):
        with pytest.raises(UserError, match=rf"pendulum.yaml: .*{words}"):
            refuse_misfit(data, wrong)
        assert "WRONG" in {check.verdict for check in own_checks(data, wrong)}


def test_a_wrong_environment_is_a_fault_among_others(reach: Path) -> None:
    task = read_task(reach)
    dataset = load(task)
    for own, words in (
        ({"success": "there"}, "success: info has no 'there'"),
        ({"environment": "reacher_env:broken", "arguments": "{}"}, "raised ValueError: no robot"),
    ):
        checks = own_checks(dataset, changed(task, **own))
        (wrong,) = (check.words for check in checks if check.verdict == "WRONG")
        assert words in wrong


def test_unseeded_starts_are_told(reach: Path) -> None:
    source = (reach.parent / "reacher_env.py").read_text()
    unseeded = source.replace("self.np_random.uniform(0, 1, 2)", "np.random.uniform(0, 1, 2)")
    (reach.parent / "unseeded_env.py").write_text(unseeded)
    reach.write_text(reach.read_text().replace("reacher_env", "unseeded_env"))
    task = read_task(reach)
    assert {"reset": "WRONG"}.items() <= {
        check.name: check.verdict for check in own_checks(None, task)
    }.items()


def test_random_episodes_are_the_same_again(reach: Path) -> None:
    task = read_task(reach)
    first, again = random_rollouts(task, 3), random_rollouts(task, 3)
    assert np.array_equal(first.returns, again.returns) and len(set(first.returns)) == 3
