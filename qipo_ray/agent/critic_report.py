"""The critic report: whether there is anything to select by, and whether Q can tell it.

Everything is measured once, after the critic stage, on rows of the data and on actions that the
behaviour proposes there: what the policy stage will select among. Where the numbers say that its
weights would follow chance, warnings say it in words.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from qipo_ray.agent.agreement import Agreement, agreement
from qipo_ray.agent.ensemble import judged
from qipo_ray.agent.evidence import Evidence, evidence
from qipo_ray.agent.judge import Judge, proposals
from qipo_ray.agent.pack import State, stream
from qipo_ray.agent.sampling import cloned_weights
from qipo_ray.agent.support import support_pool
from qipo_ray.agent.tensors import Tensors
from qipo_ray.config import Config

Number = int | float
ROWS = 512  # of the data
ACTIONS = 16  # proposed by the behaviour at each

# Where a warning is due. The limits tell apart the data sets and critics that were tried.
ALIKE = 0.1  # deviation of the proposed actions: nearly deterministic data
UNRELATED = 0.5  # correlation of Q with returns-to-go
BEHIND, BEYOND = -0.5, 2.0  # mean Q minus mean return, in deviations of the returns
CONTESTED = 1.0  # spread of Q over actions, in what the twins or the pairs differ by


@dataclass(frozen=True)
class CriticReport:
    """What Q says of 16 proposed actions at each of 512 rows; nan: unknown."""

    rows: int
    actions: int
    action_std: float  # of the proposed actions, mean over rows and dimensions
    q_std: float  # of Q between the actions of a row, mean over rows
    disagreement: float  # of the twins on an action beside the others of its row
    error: float  # root mean square of Q minus return-to-go, at the data's actions
    correlation: float  # of Q with return-to-go
    q_mean: float
    return_mean: float
    return_std: float
    evidence: Evidence | None = None  # on held-out episodes; None where none are held out
    agreement: Agreement | None = None  # of the pairs of an ensemble; None where there is one

    def plain(self) -> dict[str, Any]:
        """Return the report with its warnings as JSON holds it: what is not finite is None."""
        parts = {"evidence": self.evidence, "agreement": self.agreement}
        numbers = {k: v for k, v in vars(self).items() if k not in parts}
        report: dict[str, Any] = {**finite(numbers), "warnings": list(self.warnings())}
        return report | {k: finite(vars(part)) for k, part in parts.items() if part is not None}

    def warnings(self) -> Iterator[str]:
        """Yield in words why the policy stage may have nothing to select by: kind, then number."""
        if self.action_std < ALIKE:
            yield (
                "nothing to select by: the actions that the behaviour proposes hardly differ "
                f"(standard deviation {self.action_std:.2g}), the data are nearly deterministic"
            )
        if self.q_std <= CONTESTED * self.disagreement:
            yield (
                f"little to select by: Q differs by {self.q_std:.2g} between actions of a state, "
                f"its two networks by {self.disagreement:.2g} on what they are worth"
            )
        pairs = self.agreement
        if pairs is not None and self.q_std <= CONTESTED * pairs.spread:
            yield (
                f"contested: Q differs by {self.q_std:.2g} between actions of a state, its "
                f"{pairs.pairs} pairs by {pairs.spread:.2g} on what they are worth"
            )
        if self.correlation < UNRELATED:
            yield f"Q hardly follows the returns of the data: correlation {self.correlation:.2f}"
        gap, means = self.q_mean - self.return_mean, f"{self.q_mean:.3g}, {self.return_mean:.3g}"
        if gap < BEHIND * self.return_std:
            yield f"Q is far below the returns, still near its start: means {means}"
        if gap > BEYOND * self.return_std:
            yield f"Q is above nearly all returns, overestimated: means {means}"
        held = self.evidence
        if held is not None and not held.sure > 0:
            yield (
                f"Q does not foresee returns: on {held.episodes} held-out episodes their slope on "
                f"it is {held.slope:.2g} ± {held.error:.2g}"
            )


def finite(numbers: Mapping[str, Number]) -> dict[str, Number | None]:
    """Return numbers as JSON holds them: None for what is not finite."""
    return {name: value if math.isfinite(value) else None for name, value in numbers.items()}


def critic_report(
    config: Config, data: Tensors, behaviour: State, critic: State, seed: int
) -> CriticReport:
    """Return the report of a critic, the same again for the same states and seed.

    Rows are drawn among those with a known return-to-go, among all where there is none.
    """
    generator = stream(seed, "critic-report")
    with_returns = data.with_returns.cpu()
    among = with_returns if len(with_returns) else torch.arange(data.rows)
    rows = among[support_pool(len(among), ROWS, generator)].to(data.device)
    states, taken = data.states[rows].cpu(), data.actions[rows].cpu()
    prior = cloned_weights(config, behaviour)
    actions = proposals(config, prior, data, rows, ACTIONS, generator)
    judge = Judge(config, critic)
    at_data = judge.pairs(states, taken.unsqueeze(1)).squeeze(2).double()
    values = judged(at_data, config.critic)
    returns = data.returns[rows].cpu().double()
    if not len(with_returns):
        returns = torch.full_like(returns, math.nan)
    twins = judge.twins(states, actions).double().unflatten(0, (-1, 2))
    pairs = twins.amin(1)
    proposed = judged(pairs, config.critic)
    return CriticReport(
        rows=len(rows),
        actions=ACTIONS,
        q_mean=values.mean().item(),
        **_contrasts(twins, proposed, actions.double()),
        **_against(values, returns),
        evidence=evidence(config, data, behaviour, critic, seed)
        if config.critic.held_out
        else None,
        agreement=agreement(pairs, at_data, proposed) if len(pairs) > 1 else None,
    )


def _contrasts(twins: Tensor, values: Tensor, actions: Tensor) -> dict[str, float]:
    """Return what differs between the actions of a row, for Q ``(B, M)`` of ``(B, M, A)``.

    Q is read from ``twins (K, 2, B, M)``. Selection sees only what an action is worth beside the
    others of its row. If the twins of a pair err on that independently, their difference has
    twice the variance of one's error.
    """
    beside = twins - twins.mean(-1, keepdim=True)
    return {
        "action_std": actions.std(1).mean().item(),
        "q_std": values.std(-1).mean().item(),
        "disagreement": (beside[:, 0] - beside[:, 1]).square().mean().div(2).sqrt().item(),
    }


def _against(values: Tensor, returns: Tensor) -> dict[str, float]:
    """Return how Q ``(B,)`` of the data's actions compares with their returns-to-go ``(B,)``."""
    q, r = values - values.mean(), returns - returns.mean()
    return {
        "error": (values - returns).square().mean().sqrt().item(),
        "correlation": (q @ r / (q.norm() * r.norm())).item(),
        "return_mean": returns.mean().item(),
        "return_std": returns.std(correction=0).item(),
    }
