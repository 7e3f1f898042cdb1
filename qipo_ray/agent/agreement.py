"""How far the pairs of an ensemble agree, on what the policy stage would select by them.

One pair's errors look like knowledge. Of several that began apart, what they agree on is what the
data say; an action that only some of them prefer is a guess.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Agreement:
    """What several pairs say of the same actions; deviations are those of one pair."""

    pairs: int
    spread: float  # over pairs, of what an action is worth beside the others of its row
    advantage: float  # of the best proposal over the data's action, mean over rows and pairs
    deviation: float  # of that advantage over pairs
    share: float  # of pairs to which the best proposal is above the data's action, mean over rows


def agreement(proposed: Tensor, taken: Tensor, judged: Tensor) -> Agreement:
    """Return the agreement of pairs on Q ``(K, B, M)`` of proposals, ``(K, B)`` of data's actions.

    The best proposal of a row is that of highest ``judged (B, M)``, the Q that is read from all:
    it is chosen by those who judge it, so that its advantage is a little too good.
    """
    beside = proposed - proposed.mean(-1, keepdim=True)
    best = judged.argmax(-1).expand(len(proposed), -1).unsqueeze(-1)
    gained = proposed.gather(-1, best).squeeze(-1) - taken
    return Agreement(
        pairs=len(proposed),
        spread=beside.var(0).mean().sqrt().item(),
        advantage=gained.mean().item(),
        deviation=gained.var(0).mean().sqrt().item(),
        share=(gained > 0).double().mean().item(),
    )
