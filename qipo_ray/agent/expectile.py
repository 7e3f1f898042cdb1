"""Expectiles: of values at hand, and the loss by which a network finds them.

The ``tau``-expectile e of v is where ``sum |tau - 1[v < e]| (v - e) = 0``: the mean at 0.5, the
maximum towards 1.
"""

from __future__ import annotations

import torch
from torch import Tensor


def expectile(values: Tensor, tau: Tensor) -> Tensor:
    """Return the ``tau``-expectile over the last dimension; ``tau`` is broadcast, >= 0.5.

    Over a set it can be computed: it is the largest of the means that weigh the k highest values
    by tau and the others by 1 - tau.
    """
    size = values.shape[-1]
    top = values.sort(-1, descending=True).values.cumsum(-1)
    count = torch.arange(1, size + 1, device=values.device)
    sums = tau * top + (1 - tau) * (top[..., -1:] - top)
    return (sums / (tau * count + (1 - tau) * (size - count))).amax(-1)


def expectile_loss(advantage: Tensor, tau: Tensor) -> Tensor:
    """Return the asymmetric squares of ``advantage (..., B)``, their mean over the last dimension.

    ``tau`` is broadcast. Where the advantage is Q - V, V comes to the expectile of Q.
    """
    share = torch.where(advantage > 0, tau, 1 - tau)
    return (share * advantage.square()).mean(-1)
