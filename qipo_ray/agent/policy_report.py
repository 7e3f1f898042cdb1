"""The policy report: where the policy stands when its stage has ended.

The stage's own metrics are those of each round's start. This is measured once, afterwards, of the
weights that are scored, at rows of the data: how far the policy has gone from the behaviour, and
whether its actions still lie where the critic was ever asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from qipo_ray.agent.acting import acting_network
from qipo_ray.agent.critic_report import ACTIONS, ROWS, finite
from qipo_ray.agent.judge import Judge, loaded, proposals
from qipo_ray.agent.pack import State, stream
from qipo_ray.agent.sampling import cloned_weights, scored_weights
from qipo_ray.agent.support import drift, support_actions, support_pool
from qipo_ray.agent.tensors import Tensors
from qipo_ray.config import Config

# Where a warning is due: mean Q above the best of 16, in spreads of Q. Of the runs in
# docs/learning.md, those with `policy.trust` end below 0.05, most of those without at 0.3 to 2.
BEYOND = 0.2


@dataclass(frozen=True)
class PolicyReport:
    """16 actions of the policy beside 16 of the behaviour at each of 512 rows."""

    rows: int
    actions: int
    drift: float  # `support.drift`: distance from the behaviour, 1 for itself
    action_std: float  # of the policy's actions, mean over rows and dimensions
    q_mean: float  # of the policy's actions; it rises with every round and is no success
    q_best: float  # of the behaviour's best of 16 by Q, mean over rows
    q_std: float  # between the behaviour's actions of a row, mean over rows
    stayed: bool = False  # the clone to the bit: nothing was followed

    def plain(self) -> dict[str, Any]:
        """Return the report with its warnings as JSON holds it: what is not finite is None."""
        numbers = {name: value for name, value in vars(self).items() if name != "stayed"}
        report: dict[str, Any] = {**finite(numbers), "warnings": list(self.warnings())}
        return report | ({"stayed": True} if self.stayed else {})

    def warnings(self) -> Iterator[str]:
        """Yield in words why Q does not guide the policy, or may not: kind, then number."""
        if self.stayed:
            yield "still the clone: nothing was followed (policy.data_common, evidence, trust)"
        if self.q_mean > self.q_best + BEYOND * self.q_std:
            yield (
                "beyond what the critic knows: its average action looks better to Q "
                f"({self.q_mean:.3g}) than the best of {self.actions} of the behaviour "
                f"({self.q_best:.3g}); policy.trust bounds that"
            )


def policy_report(
    config: Config, data: Tensors, behaviour: State, critic: State, policy: State, seed: int
) -> PolicyReport:
    """Return the report of a policy, the same again for the same states and seed."""
    generator = stream(seed, "policy-report")
    rows = support_pool(data.rows, ROWS, generator).to(data.device)
    states = data.states[rows].cpu()
    final, prior = scored_weights(config, policy), cloned_weights(config, behaviour)
    network = acting_network(config, data.state_dim, data.action_dim)
    params, own = loaded(network.shapes, final).params, torch.arange(len(rows))
    proposed = support_actions(network, params, states, own, ACTIONS, generator)
    first, again = (proposals(config, prior, data, rows, ACTIONS, generator) for _ in range(2))
    judge = Judge(config, critic)
    before = judge.value(states, first).double()
    return PolicyReport(
        rows=len(rows),
        actions=ACTIONS,
        drift=drift(proposed, first, again).item(),
        action_std=proposed.std(1).mean().item(),
        q_mean=judge.value(states, proposed).double().mean().item(),
        q_best=before.amax(-1).mean().item(),
        q_std=before.std(-1).mean().item(),
        stayed=torch.equal(final, prior),
    )
