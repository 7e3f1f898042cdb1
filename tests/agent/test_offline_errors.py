"""The two errors of a policy on the data, against plain ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from qipo_ray.agent import State, Tensors
from qipo_ray.agent.evidence import held_out
from qipo_ray.agent.fitted_q import FixedPolicy
from qipo_ray.agent.judge import Judge
from qipo_ray.agent.offline_errors import behaviour_loss, measured_rows, td_error
from qipo_ray.config import Config


def test_errors_are_means_over_the_rows_in_the_unit_of_the_data(
    data: Tensors, upstream: dict[str, State], configure: Callable[..., Config]
) -> None:
    config, critic = configure(), upstream["critic"]
    act = lambda states, generator: states[:, :2].tanh()  # noqa: E731
    policy = FixedPolicy(config, 0, act, critic)
    own = data.states.tanh()
    expected = (own - data.actions).square().mean().item()
    assert behaviour_loss(policy, data) == pytest.approx(expected, rel=1e-5)
    judge = Judge(config, critic)
    q = judge.value(data.states, data.actions.unsqueeze(1)).squeeze(1)
    after = judge.value(data.next_states, data.next_states.tanh().unsqueeze(1)).squeeze(1)
    error = data.rewards + config.critic.discount * (1 - data.terminals) * after - q
    expected = error.square().mean().item()
    assert td_error(policy, data) == pytest.approx(expected, rel=1e-5)
    doubled = replace(data, reward_scale=2.0)
    assert td_error(policy, doubled) == pytest.approx(expected / 4, rel=1e-5)
    assert td_error(replace(policy, critic=None), data) is None


def test_rows_that_are_held_out_are_those_that_are_measured(
    data: Tensors, upstream: dict[str, State], configure: Callable[..., Config]
) -> None:
    config = configure("critic.held_out=0.2")
    policy = FixedPolicy(config, 5, lambda states, generator: states, upstream["critic"])
    outside = held_out(data, 0.2, 5).nonzero().squeeze(1)
    assert torch.equal(measured_rows(policy, data).sort().values, outside)
    assert len(measured_rows(replace(policy, critic=None), data)) == data.rows
