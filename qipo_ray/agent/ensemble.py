"""The critic as an ensemble: K pairs of twins, and how one Q is read from them.

A pair's Q is the minimum of its twins, as in the paper, which has one pair. Pairs differ by their
initial weights and by their targets, each its own. Their batches are the same: so one support set
serves all, and where pairs differ it is over what the data leave open, not over the order of rows.
"""

from __future__ import annotations

from torch import Tensor

from qipo_ray.config import Config, Critic
from qipo_ray.nets import TwinQ
from qipo_ray.nets.stack import Params


def twin_q(config: Config, state_dim: int, action_dim: int) -> TwinQ:
    """Return the twin-Q networks of a configuration."""
    c = config.critic
    # Departure D42: several pairs of twins.
    return TwinQ(state_dim, action_dim, c.width, c.layers, norm=c.layer_norm, pairs=c.pairs)


def judged(values: Tensor, critic: Critic) -> Tensor:
    """Return the one Q ``(...)`` that is read from those of the pairs, ``(K, ...)``.

    The spread of ``lower`` is the standard deviation over all K: of two pairs, mean less one
    spread is the minimum; of one pair, every reading is that pair's.
    """
    if critic.judge == "minimum":
        return values.amin(0)
    # Departure D43: the mean over pairs, or less than it where they differ.
    mean = values.mean(0)
    return mean if critic.judge == "mean" else mean - critic.kappa * values.std(0, correction=0)


def value_of(q: TwinQ, params: Params, states: Tensor, actions: Tensor, critic: Critic) -> Tensor:
    """Return Q ``(B, M)`` of one member, as all that follows the critic reads it.

    States are ``(B, S)``, actions ``(B, M, A)``.
    """
    return judged(q.lowest(params, states.unsqueeze(0), actions.unsqueeze(0))[0], critic)
