"""Energies of the data's own actions, and rows drawn by ``exp(b energy)``.

No proposal, no network's opinion of an action that nobody took: weighted in this way the flow
learns ``mu exp(b energy)`` from the data themselves (paper, equation 3.8, with the energy given).
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from qipo_ray.agent.tensors import Tensors
from qipo_ray.flow import scale_for_size

MOST_TILT = 1e4  # deviations of the energy times b: weights are one-hot well before


def episode_returns(data: Tensors) -> tuple[Tensor, Tensor]:
    """Return each row's episode ``(D,)``, numbered from 0, and the episodes' returns ``(E,)``.

    Returns are sums of the rewards that are trained on, undiscounted, in double precision.
    """
    episodes = data.episodes.long().unique(return_inverse=True)[1]
    count = int(episodes.max()) + 1
    returns = torch.zeros(count, dtype=torch.float64, device=data.device)
    returns.index_add_(0, episodes, data.rewards.double())
    return episodes, returns


def share_near_best(data: Tensors, level: float) -> float:
    """Return the share of rows in episodes whose return is beyond ``level`` of their range.

    0 where all returns are equal: none is better than another.
    """
    episodes, returns = episode_returns(data)
    low, high = returns.min(), returns.max()
    near = (returns >= low + level * (high - low)) & (high > low)
    return float(near[episodes].double().mean())


def tilted(energy: Tensor, share: float) -> tuple[Tensor, float]:
    """Return weights ``(P,)`` that sum to 1, ``∝ exp(b energy)``, and b, which is at least 0.

    ``b`` is the scale at which their effective sample size is ``share`` of P, by bisection: it
    does not depend on the unit of the energy. Equal energies have equal weights, with b 0.
    """
    energy = energy.double()
    spread = float(energy.std(correction=0))
    if spread <= 1e-9 * float(energy.abs().max()):
        return torch.full_like(energy, 1 / len(energy)), 0.0
    scores = (energy - energy.max()) / spread
    scale = scale_for_size(scores, share * len(scores), MOST_TILT)
    return torch.softmax(scale * scores, 0), scale / spread


def mixed(weights: Tensor, uniform: float) -> Tensor:
    """Return weights ``(P,)`` of which the share ``uniform`` is the same for each row.

    A state that only worse episodes visit is still learned from them. Where better ones come by
    they prevail: a row of weight w counts ``1 + (1 - uniform) P w / uniform`` times one of none.
    """
    return (1 - uniform) * weights + uniform / len(weights)


def resampled(weights: Tensor, generator: Generator) -> Tensor:
    """Return as many places as there are weights ``(P,)``, drawn by weight with replacement."""
    # By sums: multinomial takes at most 2^24 rows.
    order = torch.rand(len(weights), generator=generator, device=weights.device).double()
    sums = weights.cumsum(0)
    return torch.searchsorted(sums, order * sums[-1]).clamp_max(len(weights) - 1)
