"""The regression losses: per-sample values first, reductions second."""

from __future__ import annotations

import torch
from torch import Tensor

from qipo_ray.flow.field import Field

MIN_TIME = 1e-3  # t ~ U(1e-3, 1), independent per sample and per support action (paper's code)


def regression_loss(field: Field, data: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    """Return the squared error per sample ``(...)``, summed over the dimensions of the data.

    ``data`` and ``noise`` are ``(..., A)``, ``t`` is ``(...)`` in ``[MIN_TIME, 1]``. Flow matching
    for a field that predicts the velocity, denoising score matching with ``lambda = sigma²`` for
    one that predicts the noise; paper, Algorithm 1 before weighting.
    """
    x = field.path.noised(data, noise, t)
    return (field.network(x, t) - field.target(data, noise, t)).square().sum(-1)


def batch_loss(per_sample: Tensor, weights: Tensor) -> Tensor:
    """Return ``mean_B w l`` as ``(...)`` from losses and batch weights ``(..., B)``.

    The batch estimator of the paper's Algorithm 1; the weights have mean 1.
    """
    return (weights * per_sample).mean(-1)


def weighted_loss(per_sample: Tensor, weights: Tensor) -> Tensor:
    """Return ``mean_B sum_M w l`` as ``(N,)`` from losses and weights ``(N, B, M)``.

    The support estimator. With weights ``softmax_M(beta Q)`` the minimiser is the exact guided
    field: paper, Theorem 4.3 for flows and Corollary 4.8 for diffusions; equation 5.2 in QIPO.
    """
    return (weights * per_sample).sum(-1).mean(-1)


def contrastive_loss(energies: Tensor, weights: Tensor) -> Tensor:
    """Return ``-mean_B sum_M w log softmax_M(f)`` as ``(...)`` from f and weights ``(..., B, M)``.

    The M actions of a state share a time. With weights ``softmax_M(beta Q)`` of the actions and f
    of the noised ones, the minimiser is ``log E[exp(beta Q) | x_t]`` up to a constant of the state
    and the time (Lu et al., ICML 2023, contrastive energy prediction).
    """
    return -(weights * torch.log_softmax(energies, -1)).sum(-1).mean(-1)
