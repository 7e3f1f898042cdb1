"""Energy weights and their health."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

COLLAPSED = 1.1  # mean effective support actions below which a regression clones single actions
SCARCE = 64  # effective samples of a batch below which the batch estimator visibly falls short


class WeightWarning(UserWarning):
    """Energy weights rest on too few samples; the text says what to do."""


BISECTIONS = 60


def batch_weights(energy: Tensor, beta: Tensor | float) -> Tensor:
    """Return weights ``(..., B)`` of mean 1 over the batch: ``B softmax(-beta E)``.

    The paper's Algorithm 1 estimates ``exp(-beta E) / E_p[exp(-beta E)]`` within the batch; the
    factor B keeps the learning rate comparable with unweighted training. The weights carry no
    gradient. They are biased towards ``p`` where few samples carry the weight: ``WeightWarning``
    below 64 effective samples. ``ValueError`` for energies that are not finite.
    """
    logits = (-beta * energy).detach()
    _check_finite(logits, "values of -beta E")
    weights = torch.exp(logits - logits.amax(-1, keepdim=True))
    # Departure D25: mean 1, not sum 1, so that rates are those of unweighted training.
    weights = weights / weights.mean(-1, keepdim=True)  # ones to the bit at beta = 0
    size, batch = float(effective_sample_size(weights).min()), energy.shape[-1]
    if size < min(SCARCE, batch / 2):
        warnings.warn(
            f"{size:.1f} of {batch} samples carry the energy weights: the batch estimator falls "
            "short of the tilted law. Weigh a larger batch and draw from it by weight "
            "(draw_by_weight), or take several rounds of a smaller beta",
            WeightWarning,
            stacklevel=2,
        )
    return weights


def support_weights(values: Tensor, beta: Tensor) -> Tensor:
    """Return ``softmax_j(beta Q(s, a_j))`` over the support actions of each state, ``(N, B, M)``.

    ``values`` is ``(N, B, M)``, ``beta`` is ``(N, 1)``: one guidance scale per member. The energy
    is ``E = -Q`` and the weights carry no gradient (paper, Algorithm 2). ``ValueError`` for values
    that are not finite; ``WeightWarning`` where nearly all weight of a state lies on one action.
    """
    _check_finite(beta.unsqueeze(-1) * values, "values of beta Q")
    above = values - values.amax(-1, keepdim=True)  # first: a large beta Q loses digits
    weights = torch.softmax(beta.unsqueeze(-1) * above, dim=-1).detach()
    size = float(effective_sample_size(weights).mean(-1).min())
    if size < COLLAPSED < values.shape[-1]:
        warnings.warn(
            f"{size:.2f} of {values.shape[-1]} support actions carry the weights: the policy "
            "clones single actions. Take a smaller beta (its unit is 1 / Q)",
            WeightWarning,
            stacklevel=2,
        )
    return weights


def draw_by_weight(weights: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Return ``count`` indices ``(..., count)`` drawn by weight, with repeats, from ``(..., M)``.

    An unweighted loss over the drawn samples has the expectation of the weighted loss over all.
    """
    if count == 1:  # as multinomial draws one, but without its checks, for which the host waits
        race = weights / torch.empty_like(weights).exponential_(1, generator=generator)
        return race.argmax(-1, keepdim=True)
    rows = weights.reshape(-1, weights.shape[-1])  # multinomial takes no more than two dimensions
    drawn = torch.multinomial(rows, count, replacement=True, generator=generator)
    return drawn.reshape(*weights.shape[:-1], count)


def effective_sample_size(weights: Tensor) -> Tensor:
    """Return ``(sum w)² / sum w²`` over the last dimension: M for equal weights, 1 for one-hot."""
    return weights.sum(-1).square() / weights.square().sum(-1)


def scale_for_size(scores: Tensor, size: float, most: float) -> float:
    """Return the scale of ``scores (..., M)`` at which softmax weights have an effective ``size``.

    On average over all but the last dimension, by bisection from 1e-6 to ``most``.
    """
    low, high = 1e-6, most
    for _ in range(BISECTIONS):
        middle = (low * high) ** 0.5
        present = effective_sample_size(torch.softmax(middle * scores, -1)).mean()
        low, high = (middle, high) if present > size else (low, middle)
    return low


def entropy(weights: Tensor) -> Tensor:
    """Return the entropy in nats of weights that sum to 1 over the last dimension."""
    terms: Tensor = torch.special.entr(weights)
    return terms.sum(-1)


def _check_finite(values: Tensor, name: str) -> None:
    bad = ~torch.isfinite(values)
    if bad.any():
        raise ValueError(
            f"{int(bad.sum())} of {values.numel()} {name} are not finite "
            f"(first: {values[bad][0]}); weights need finite ones: bound or drop those samples"
        )
