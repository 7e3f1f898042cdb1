"""Repeated improvement on a bandit whose answer is known.

The prior is the density of eight Gaussians, ``Q(a)`` the index of the nearest mode / 7. A round
draws support sets from the present sampler, weighs them by ``softmax_M(beta Q)`` and goes on
training on them: paper, equation 5.4, ``pi_{l+1} ∝ pi_l exp(beta Q)``. What a round adds is read
off the samples and set beside the law that an exact fit to sets of M actions would have.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import torch
from torch import Tensor

from qipo_ray.flow import WeightWarning, draw, draw_by_weight, path_named, support_weights
from qipo_ray.flow.densities import DENSITIES, EightGaussians
from qipo_ray.flow.distances import sliced_wasserstein
from qipo_ray.validation.cell_runner import Cell, Result
from qipo_ray.validation.estimators import plain
from qipo_ray.validation.finite_support import implied_beta, laws_of_rounds, mean_value, tilted
from qipo_ray.validation.learner import Batch, Trained, TrainingPlan, matching_loss, train

DENSITY = EightGaussians()
VALUES = torch.arange(8) / 7  # Q of the modes
UNIFORM = torch.full((8,), 1 / 8)
PATH = path_named("ot")
SOLVER, EVALUATIONS = "midpoint", 16
CHUNK = 2048  # samples drawn at once: what fits a core's cache
COMPARED = 4096  # points in a distance
SUPPORT_SIZES = (4, 16, 64)
BETAS = (3.0, 10.0)
ROUNDS = 5


@dataclass(frozen=True)
class RoundsCell(Cell):
    """Rounds of one beta with sets of one size, from a prior trained on the density."""

    kind = "Iteration"
    beta: float
    support_size: int
    rounds: int
    length: int  # updates of a round, in those of the plan
    pool: int  # actions drawn from the sampler at each round's start; its sets come from these
    seed: int
    plan: TrainingPlan

    @property
    def title(self) -> str:
        """Rounds, beta and set size."""
        return f"{self.rounds} x beta {self.beta:g}, M = {self.support_size}, seed {self.seed}"

    def run(self) -> Result:
        """Return a row for each round."""
        generator = torch.Generator().manual_seed(1000 + self.seed)
        model = prior_model(self.plan, self.seed)
        pool = sample(model, self.pool, generator)
        prior = masses_of(pool)
        laws = laws_of_rounds(UNIFORM, VALUES, self.beta, self.support_size, self.rounds)
        plan = replace(self.plan, updates=self.length * self.plan.updates)
        rows = []
        for done, law in enumerate(laws, start=1):
            logits = self.beta * VALUES[nearest(pool)]
            batches = partial(drawn_from_sets, pool, logits, self.support_size, plan.batch)
            loss = matching_loss(PATH, "velocity", batches)
            seed = 1000 * done + self.seed  # fresh samples in every round
            model = train(0, 2, loss, plan, seed, start=model)
            pool = sample(model, self.pool, generator)
            rows.append(self._row(done, pool, prior, law))
        return {"rows": rows}

    def _row(self, done: int, samples: Tensor, prior: Tensor, law: Tensor) -> Result:
        """Return what the samples and the finite-M law say after a round."""
        masses, total = masses_of(samples), self.beta * done
        exact = [exact_samples(tilted(UNIFORM, VALUES, total), seed) for seed in (1, 2)]
        finite, points = exact_samples(law, 3), samples[:COMPARED]
        return {
            "beta": self.beta,
            "support_size": self.support_size,
            "round": done,
            "seed": self.seed,
            "masses": masses.tolist(),
            "mean_q": mean_value(masses, VALUES),
            "implied_beta": implied_beta(masses, prior, VALUES),
            "law_masses": law.tolist(),
            "law_mean_q": mean_value(law, VALUES),
            "law_beta": implied_beta(law, UNIFORM, VALUES),
            "sw2": float(sliced_wasserstein(points, exact[0][: len(points)])),
            "law_sw2": float(sliced_wasserstein(finite, exact[0])),
            "sw2_floor": float(sliced_wasserstein(exact[1], exact[0])),
        }


def cells(seeds: int, plan: TrainingPlan, pool: int = 16_384) -> Iterator[Cell]:
    """Yield five rounds of each beta and set size, and one of 2 x 3 for equation 5.4.

    That one trains as long as two rounds of 3.
    """
    for seed in range(seeds):
        for support_size in SUPPORT_SIZES:
            for beta in BETAS:
                yield RoundsCell(beta, support_size, ROUNDS, 1, pool, seed, plan)
            yield RoundsCell(2 * BETAS[0], support_size, 1, 2, pool, seed, plan)


@lru_cache(maxsize=2)
def prior_model(plan: TrainingPlan, seed: int) -> Trained:
    """Return a flow trained on the density without weights."""
    batches = partial(plain, DENSITIES["8gaussians"].sample, plan)
    return train(0, 2, matching_loss(PATH, "velocity", batches), plan, seed)


def drawn_from_sets(
    pool: Tensor, logits: Tensor, support_size: int, count: int, generator: torch.Generator
) -> Batch:
    """Return ``count`` actions, each drawn by weight from a support set of its own.

    A set is M actions of the pool, whose ``logits`` are ``beta Q``. An unweighted loss over the
    drawn ones has the expectation of the loss over all weighted by ``flow.support_weights``, at
    1 / M of its cost.
    """
    sets = torch.randint(len(pool), (count, support_size), generator=generator)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", WeightWarning)  # M = 4 at beta = 10: that is the question
        weights = support_weights(logits[sets].unsqueeze(0), torch.ones(1, 1))[0]
    chosen = pool[sets.gather(1, draw_by_weight(weights, 1, generator)).squeeze(1)]
    return chosen.new_zeros(count, 0), chosen, torch.ones(count)


def sample(model: Trained, count: int, generator: torch.Generator) -> Tensor:
    """Return samples ``(count, 2)`` of a trained flow."""
    noise = torch.randn(count, 2, generator=generator)
    field = model.field(PATH, "velocity")
    return torch.cat([draw(field, part, SOLVER, EVALUATIONS) for part in noise.split(CHUNK)])


def nearest(points: Tensor) -> Tensor:
    """Return the index ``(n,)`` of the nearest mode."""
    return (points @ DENSITY.centres.T).argmax(1)  # the modes lie on a circle


def masses_of(points: Tensor) -> Tensor:
    """Return the share of points of each mode ``(8,)``, none of them 0."""
    counts = torch.bincount(nearest(points), minlength=8).double()
    return counts.clamp(min=0.5) / counts.clamp(min=0.5).sum()


def exact_samples(masses: Tensor, seed: int) -> Tensor:
    """Return ``COMPARED`` samples of the density with the modes' masses changed, by rejection."""
    generator = torch.Generator().manual_seed(seed)
    kept: list[Tensor] = []
    while sum(map(len, kept)) < COMPARED:
        points, _ = DENSITY.sample(4 * COMPARED, generator)
        chance = (masses / masses.max()).float()[nearest(points)]
        kept.append(points[torch.rand(len(points), generator=generator) < chance])
    return torch.cat(kept)[:COMPARED]
