"""Two errors of a policy on rows of the data, for searches that cannot roll anything out."""

from __future__ import annotations

import torch
from torch import Tensor

from qipo_ray.agent.evidence import held_out
from qipo_ray.agent.fitted_q import FixedPolicy
from qipo_ray.agent.judge import Judge
from qipo_ray.agent.pack import stream
from qipo_ray.agent.support import support_pool
from qipo_ray.agent.tensors import Tensors

ROWS = 4096  # of the data, at most


def measured_rows(policy: FixedPolicy, data: Tensors) -> Tensor:
    """Return rows that the critic was not trained on, where some are held out; else of all."""
    share = policy.config.critic.held_out if policy.critic is not None else 0
    among = held_out(data, share, policy.seed).cpu().nonzero().squeeze(1) if share else None
    if among is None or not len(among):
        among = torch.arange(data.rows)
    return among[support_pool(len(among), ROWS, stream(policy.seed, "errors", "rows"))]


def behaviour_loss(policy: FixedPolicy, data: Tensors) -> float:
    """Return the mean square of what the policy's actions differ by from the data's."""
    rows = measured_rows(policy, data).to(data.device)
    actions = policy.act(data.states[rows].cpu(), stream(policy.seed, "errors", "actions"))
    return (actions - data.actions[rows].cpu()).double().square().mean().item()


def td_error(policy: FixedPolicy, data: Tensors) -> float | None:
    """Return the mean squared Bellman error of the run's critic under the policy's own actions.

    In the squared unit of the data's rewards; None for a run without a critic.
    """
    if policy.critic is None:
        return None
    rows = measured_rows(policy, data).to(data.device)
    following = data.next_states[rows].cpu()
    actions = policy.act(following, stream(policy.seed, "errors", "next-actions"))
    judge = Judge(policy.config, policy.critic)
    states, taken = data.states[rows].cpu(), data.actions[rows].cpu()
    before = judge.value(states, taken.unsqueeze(1)).squeeze(1).double()
    after = judge.value(following, actions.unsqueeze(1)).squeeze(1).double()
    going_on = policy.config.critic.discount * (1 - data.terminals[rows].cpu().double())
    error = data.rewards[rows].cpu().double() + going_on * after - before
    return (error / data.reward_scale).square().mean().item()
