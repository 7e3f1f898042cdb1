"""Energy weights and their health."""

from __future__ import annotations

import torch
from torch import Tensor


def batch_weights(energy: Tensor, beta: Tensor | float) -> Tensor:
    """Return weights ``(..., B)`` of mean 1 over the batch: ``B softmax(-beta E)``.

    The paper's Algorithm 1 estimates ``exp(-beta E) / E_p[exp(-beta E)]`` within the batch; the
    factor B keeps the learning rate comparable with unweighted training.
    """
    return energy.shape[-1] * torch.softmax(-beta * energy, dim=-1)


def support_weights(values: Tensor, beta: Tensor) -> Tensor:
    """Return ``softmax_j(beta Q(s, a_j))`` over the support actions of each state, ``(N, B, M)``.

    ``values`` is ``(N, B, M)``, ``beta`` is ``(N, 1)``: one guidance scale per member. The energy
    is ``E = -Q`` and the weights carry no gradient (paper, Algorithm 2).
    """
    return torch.softmax(beta.unsqueeze(-1) * values, dim=-1).detach()


def effective_sample_size(weights: Tensor) -> Tensor:
    """Return ``(sum w)² / sum w²`` over the last dimension: M for equal weights, 1 for one-hot."""
    return weights.sum(-1).square() / weights.square().sum(-1)


def entropy(weights: Tensor) -> Tensor:
    """Return the entropy in nats of weights that sum to 1 over the last dimension."""
    terms: Tensor = torch.special.entr(weights)
    return terms.sum(-1)
