"""Distances between two sets of samples."""

from __future__ import annotations

import torch
from torch import Tensor


def sliced_wasserstein(a: Tensor, b: Tensor, directions: int = 128) -> Tensor:
    """Return the sliced 2-Wasserstein distance of two sets ``(n, A)`` of equal size.

    The root of the mean over fixed directions of the squared distance between sorted projections.
    In the plane the directions are evenly spaced; beyond, they are normal draws of a fixed seed.
    """
    axes = _directions(a.shape[1], directions).to(a)
    sorted_a, sorted_b = (a @ axes.T).sort(0).values, (b @ axes.T).sort(0).values
    return (sorted_a - sorted_b).square().mean().sqrt()


def mmd(a: Tensor, b: Tensor, bandwidths: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0)) -> Tensor:
    """Return the squared maximum mean discrepancy of sets ``(n, A)`` and ``(m, A)``, unbiased.

    The kernel is the mean of Gaussians of the bandwidths; around 0 for equal laws, also below.
    """
    inside_a, inside_b, across = (
        _kernel(a, a, bandwidths),
        _kernel(b, b, bandwidths),
        _kernel(a, b, bandwidths),
    )
    n, m = len(a), len(b)
    within = (inside_a.sum() - n) / (n * (n - 1)) + (inside_b.sum() - m) / (m * (m - 1))
    return within - 2 * across.mean()


def mode_masses(samples: Tensor, centres: Tensor) -> Tensor:
    """Return the share of samples ``(n, A)`` nearest to each centre ``(K, A)``, ``(K,)``."""
    nearest = torch.cdist(samples, centres).argmin(1)
    return torch.bincount(nearest, minlength=len(centres)) / len(samples)


def _directions(dimensions: int, count: int) -> Tensor:
    if dimensions == 2:
        angle = torch.pi * torch.arange(count) / count
        return torch.stack([angle.cos(), angle.sin()], 1)
    axes = torch.randn(count, dimensions, generator=torch.Generator().manual_seed(0))
    units: Tensor = axes / axes.norm(dim=1, keepdim=True)
    return units


def _kernel(a: Tensor, b: Tensor, bandwidths: tuple[float, ...]) -> Tensor:
    squares = torch.cdist(a, b).square()
    return torch.stack([torch.exp(-squares / (2 * h * h)) for h in bandwidths]).mean(0)
