"""Ways to draw from ``q ∝ p exp(-beta E)``: energy weighting, and two methods to compare with.

All have equal networks and equally long trainings. Energy weighting needs one training per beta.
Classifier-free guidance needs one for all, of two laws at once, and two passes of the network per
evaluation; it is exact at beta = 1 alone (paper, Lemma 4.10). Contrastive energy prediction needs
an auxiliary network per beta, and its gradient at sampling.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from qipo_ray.flow import MIN_TIME, Field, Prediction, contrastive_loss, draw, path_named
from qipo_ray.flow.densities import Density
from qipo_ray.validation.estimators import drawn, plain, quiet_weights, weighted
from qipo_ray.validation.learner import (
    Batch,
    Loss,
    Network,
    Trained,
    TrainingPlan,
    matching_loss,
    train,
)

EVALUATIONS = 40  # of the guided field per sample, for every method
OCTAVES = 4  # of waves that every network sees

Draw = Callable[[int, torch.Generator], Tensor]  # (count, generator) -> samples (n, 2)


@dataclass(frozen=True)
class TrainingMethod:
    """A path, what the network predicts on it, the solver that draws, and how batches are weighed.

    ``drawn``: by weight from a larger batch that carries the weights, same expectation.
    ``weighted``: the batch itself with weights, the paper's Algorithm 1 to the letter.
    """

    path: str
    predicts: Prediction
    solver: str
    estimator: Literal["drawn", "weighted"] = "drawn"


RECIPES = {
    "flow": TrainingMethod("ot", "velocity", "midpoint"),
    "diffusion": TrainingMethod("vp", "noise_residual", "dpmpp_2m"),
    "cosine": TrainingMethod("trig", "velocity", "dpmpp_2m"),
    "weighted flow": TrainingMethod("ot", "velocity", "midpoint", "weighted"),
    "plain-noise diffusion": TrainingMethod("vp", "noise", "dpmpp_2m"),
}
EVERYWHERE = ("flow", "diffusion")  # the other recipes run on the eight Gaussians alone


def energy_weighted(
    density: Density, beta: float, recipe: TrainingMethod, plan: TrainingPlan, seed: int
) -> Draw:
    """Return samples of a network trained with energy weights (paper, Algorithm 1)."""
    path = path_named(recipe.path)
    estimator = {"drawn": drawn, "weighted": weighted}[recipe.estimator]
    batches = partial(estimator, density.sample, beta, plan)
    loss = matching_loss(path, recipe.predicts, batches)
    model = train(0, 2, loss, plan, seed, octaves=OCTAVES)
    return _draw_from(model.field(path, recipe.predicts), recipe.solver)


def classifier_free(density: Density, plan: TrainingPlan, seed: int) -> Callable[[float], Draw]:
    """Return, for each beta, samples by classifier-free guidance on the diffusion path.

    A point is positive with probability ``exp(-E)`` up to a constant. One network learns the data
    (label 0) and the positives (label 1), a whole batch of each; the guided noise is
    ``eps_0 + beta (eps_1 - eps_0)``.
    """
    recipe = RECIPES["diffusion"]
    path = path_named(recipe.path)
    size = plan.batch

    def batches(generator: torch.Generator) -> Batch:
        points, _ = density.sample(size, generator)
        positive = density.tilted(1.0, size, generator)
        labels = torch.cat([torch.zeros(size, 1), torch.ones(size, 1)])
        return labels, torch.cat([points, positive]), torch.ones(2 * size)

    loss = matching_loss(path, recipe.predicts, batches)
    model = train(1, 2, loss, plan, seed, octaves=OCTAVES)

    def guided(beta: float) -> Draw:
        def network(x: Tensor, t: Tensor) -> Tensor:
            times, zeros = t.expand(len(x)), x.new_zeros(len(x), 1)
            base = model(zeros, x, times)
            return base + beta * (model(zeros + 1, x, times) - base)

        return _draw_from(Field(path, recipe.predicts, network), recipe.solver)

    return guided


def contrastive(density: Density, plan: TrainingPlan, seed: int) -> Callable[[float], Draw]:
    """Return, for each beta, samples by contrastive energy prediction on the diffusion path.

    The score of the unweighted diffusion plus the gradient of an auxiliary network that learns
    ``log E[exp(-beta E(x_0)) | x_t]`` up to a constant.
    """
    recipe = RECIPES["diffusion"]
    path = path_named(recipe.path)
    unweighted = matching_loss(path, recipe.predicts, partial(plain, density.sample, plan))
    model = train(0, 2, unweighted, plan, seed, octaves=OCTAVES)
    base = model.field(path, recipe.predicts)

    def guided(beta: float) -> Draw:
        loss = _contrastive_loss(density, beta, plan)
        energy = train(2, 1, loss, plan, seed)  # without waves: their gradient is rougher

        def network(x: Tensor, t: Tensor) -> Tensor:
            _, sigma, _, _ = path.coefficients(t)
            return base.network(x, t) - sigma * _gradient(energy, x, t)

        return _draw_from(Field(path, recipe.predicts, network), recipe.solver)

    return guided


CONTRASTS = 64  # points that share a time and compete for the weight


def _contrastive_loss(density: Density, beta: float, plan: TrainingPlan) -> Loss:
    """Return CEP's loss: which of the points at one time carries how much of the weight.

    ``-sum w log softmax(f(x_t, t))`` over groups of 64 that share a time. The weights are
    ``exp(-beta E(x_0))`` up to one constant for all groups, taken over the same larger batch as in
    energy weighting: normalised within each group they would be biased.
    """
    path = path_named(RECIPES["diffusion"].path)

    def loss(network: Network, generator: torch.Generator) -> Tensor:
        points, energies = density.sample(plan.weighed, generator)
        weights = quiet_weights(energies, beta)[: plan.batch].view(-1, CONTRASTS) / CONTRASTS
        points, groups = points[: plan.batch], plan.batch // CONTRASTS
        times = MIN_TIME + (1 - MIN_TIME) * torch.rand(groups, generator=generator)
        t = times.repeat_interleave(CONTRASTS)
        x = path.noised(points, torch.randn(points.shape, generator=generator), t)
        logits = network(x, x.new_zeros(len(x), 1), t).view(groups, CONTRASTS)
        return contrastive_loss(logits, weights)

    return loss


def _gradient(energy: Trained, x: Tensor, t: Tensor) -> Tensor:
    """Return the gradient ``(B, 2)`` of the auxiliary network at ``(x, t)``."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        value = energy(x, x.new_zeros(len(x), 1), t.expand(len(x))).sum()
        (gradient,) = torch.autograd.grad(value, x)
    return gradient


def _draw_from(field: Field, solver: str) -> Draw:
    def samples(count: int, generator: torch.Generator) -> Tensor:
        noise = torch.randn(count, 2, generator=generator)
        return draw(field, noise, solver, EVALUATIONS)

    return samples
