"""Batches for a law and its energy: the estimators of the energy-weighted loss."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from qipo_ray.flow import WeightWarning, batch_weights, draw_by_weight, effective_sample_size
from qipo_ray.validation.learner import Batch, TrainingPlan

# (count, generator) -> points (n, A) and energies (n,)
Sampler = Callable[[int, torch.Generator], tuple[Tensor, Tensor]]


def plain(sample: Sampler, plan: TrainingPlan, generator: torch.Generator) -> Batch:
    """Return an unweighted batch."""
    points, _ = sample(plan.batch, generator)
    return points.new_zeros(len(points), 0), points, torch.ones(len(points))


def weighted(
    sample: Sampler, beta: float, plan: TrainingPlan, generator: torch.Generator
) -> Batch:
    """Return a batch with the weights of the paper's Algorithm 1: the batch estimator."""
    points, energies = sample(plan.batch, generator)
    return points.new_zeros(len(points), 0), points, quiet_weights(energies, beta)


def drawn(sample: Sampler, beta: float, plan: TrainingPlan, generator: torch.Generator) -> Batch:
    """Return ``plan.batch`` points drawn by weight from ``plan.weighed``: same expectation.

    The weights rest on the larger batch, at next to no cost; the loss is unweighted.
    """
    points, energies = sample(plan.weighed, generator)
    chosen = points[draw_by_weight(quiet_weights(energies, beta), plan.batch, generator)]
    return chosen.new_zeros(len(chosen), 0), chosen, torch.ones(len(chosen))


def sample_share(sample: Sampler, beta: float, count: int = 200_000) -> float:
    """Return the effective sample size of the weights as a share of the samples."""
    _, energies = sample(count, torch.Generator().manual_seed(0))
    return float(effective_sample_size(quiet_weights(energies, beta))) / count


def quiet_weights(energies: Tensor, beta: float) -> Tensor:
    """Return batch weights without the warning: the experiments report the sample size."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", WeightWarning)
        return batch_weights(energies, beta)
