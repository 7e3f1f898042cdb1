"""The regression losses: per-sample values first, reductions second."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from qipo_ray.flow.paths import Path

MIN_TIME = 1e-3  # t ~ U(1e-3, 1), independent per sample (paper's code)


def regression_loss(
    path: Path,
    network: Callable[[Tensor, Tensor], Tensor],
    data: Tensor,
    noise: Tensor,
    t: Tensor,
) -> Tensor:
    """Return the squared error per sample ``(...)``, summed over the dimensions of the data.

    ``data`` and ``noise`` are ``(..., A)``, ``t`` is ``(...)`` in ``[MIN_TIME, 1]``;
    ``network(x_t, t)`` returns ``(..., A)``. Flow matching for a path that predicts the velocity,
    noise prediction (denoising score matching with ``lambda = sigma²``) for one that predicts the
    noise; paper, Algorithm 1 before weighting.
    """
    x = path.noised(data, noise, t)
    return (network(x, t) - path.target(data, noise, t)).square().sum(-1)


def weighted_loss(per_sample: Tensor, weights: Tensor) -> Tensor:
    """Return ``mean_B sum_M w l`` as ``(N,)`` from losses and weights ``(N, B, M)``.

    With weights ``softmax_M(beta Q)`` the minimiser is the exact guided field: paper, Theorem 4.3
    for flows and Corollary 4.8 for diffusions; equation 5.2 in QIPO.
    """
    return (weights * per_sample).sum(-1).mean(-1)
