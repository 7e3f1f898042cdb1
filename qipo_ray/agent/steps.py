"""Targets over several steps: what the data's own actions got on the way, and where they ended.

From row i on, at most n rewards are summed; the sum is cut short where its episode ends, and never
takes a row of another. Behind a terminal nothing follows; behind a timeout or a cut the last
next state that is known is asked for its value, after as many steps as there were.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from qipo_ray.agent.tensors import Tensors


@dataclass(frozen=True)
class Steps:
    """For each row of the data what a target is made of: ``rewards + carry * V(following)``."""

    rewards: Tensor  # (D,), discounted sum over the steps
    carry: Tensor  # (D,), discount to the power of the steps, 0 behind a terminal
    following: Tensor  # (D, S), the state after them

    @classmethod
    def of(cls, data: Tensors, count: int, discount: float) -> Steps:
        """Return the targets' parts over at most ``count`` steps; of one step: the data's own."""
        row = torch.arange(data.rows, device=data.device)
        last = torch.minimum(row + count - 1, _ends(data))
        total = torch.zeros(data.rows, dtype=torch.float64, device=data.device)
        for step in range(count):
            later = torch.minimum(row + step, last)
            total += discount**step * torch.where(row + step <= last, data.rewards[later], 0.0)
        going_on = 1 - data.terminals[last].double()
        carry = going_on * discount ** (last - row + 1).double()
        following = data.next_states if count == 1 else data.next_states[last]
        return cls(total.float(), carry.float(), following)


def _ends(data: Tensors) -> Tensor:
    """Return for each row the last one of its episode, or the terminal before that, ``(D,)``."""
    ends = torch.ones(data.rows, dtype=torch.bool, device=data.device)
    ends[:-1] = data.episodes[1:] != data.episodes[:-1]
    places = (ends | (data.terminals > 0)).nonzero().squeeze(1)
    return places[torch.searchsorted(places, torch.arange(data.rows, device=data.device))]
