"""What support sets of finite size do to a law, exactly, and the guidance that a law implies.

A law here is the masses ``(K,)`` of K modes with one value Q each. Weights ``softmax_M(beta Q)``
over M actions tilt less than ``exp(beta Q)`` does: a set of M equal actions cannot be tilted.
"""

from __future__ import annotations

import torch
from torch import Tensor

CEILING = 200.0  # the largest implied beta; beyond it all mass lies on the best mode


def support_law(masses: Tensor, values: Tensor, beta: float, support_size: int) -> Tensor:
    """Return the masses ``(K,)`` that an exact fit to support sets has, in float64.

    ``p'(k) = E[n_k w_k / sum_j n_j w_j]`` over M draws from p with counts n and
    ``w = exp(beta Q)``. With ``1 / x = int exp(-s x) ds`` over s > 0 the expectation is
    ``M p_k w_k int exp(-s w_k) (sum_j p_j exp(-s w_j))^(M - 1) ds``: one integral, taken over
    ``log s``, where the trapezoid rule is exact to many digits.
    """
    p = masses.double()
    weights = torch.exp(beta * (values.double() - values.max()))
    lowest, highest = -45.0, 7.0 - float(weights.log().min())
    log_s = torch.linspace(lowest, highest, 4001, dtype=torch.float64)
    decay = torch.exp(-log_s.exp().unsqueeze(1) * weights)  # (n, K)
    rest = (decay @ p).pow(support_size - 1)
    step = (highest - lowest) / 4000
    integral = (log_s.exp().unsqueeze(1) * decay * rest.unsqueeze(1)).sum(0) * step
    law = support_size * p * weights * integral
    return law / law.sum()  # 1 but for rounding


def laws_of_rounds(
    masses: Tensor, values: Tensor, beta: float, support_size: int, rounds: int
) -> list[Tensor]:
    """Return the masses after 1, 2, ... rounds, each on support sets from the law before."""
    laws = [masses]
    for _ in range(rounds):
        laws.append(support_law(laws[-1], values, beta, support_size))
    return laws[1:]


def implied_beta(masses: Tensor, prior: Tensor, values: Tensor) -> float:
    """Return the beta whose tilt ``prior · exp(beta Q)`` fits ``masses`` with most likelihood.

    The tilts are an exponential family, so the fit is the beta of equal mean Q: by bisection,
    within ``CEILING`` of 0.
    """
    target = mean_value(masses, values)
    low, high = -CEILING, CEILING
    for _ in range(60):
        middle = (low + high) / 2
        if mean_value(tilted(prior, values, middle), values) < target:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def tilted(prior: Tensor, values: Tensor, beta: float) -> Tensor:
    """Return the masses ``prior · exp(beta Q)``, normalised, in float64."""
    logits = prior.double().log() + beta * values.double()
    return torch.softmax(logits, 0)


def mean_value(masses: Tensor, values: Tensor) -> float:
    """Return the mean Q of a law."""
    return float(masses.double() @ values.double() / masses.double().sum())
