"""The paper's six densities: how near each method comes to the exact tilt, in numbers and points.

Distances are to exact samples of the tilt, beside the sampling floor: the distance between two
exact sets of the same size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import torch
from torch import Tensor

from qipo_ray.flow.densities import DENSITIES, Density, EightGaussians
from qipo_ray.flow.distances import mmd, mode_masses, sliced_wasserstein
from qipo_ray.validation.cell_runner import Cell, Result
from qipo_ray.validation.estimators import sample_share
from qipo_ray.validation.learner import TrainingPlan
from qipo_ray.validation.methods import (
    EVERYWHERE,
    RECIPES,
    Draw,
    classifier_free,
    contrastive,
    energy_weighted,
)

BETAS = (0.0, 3.0, 10.0, 20.0)
SAMPLES = 4096  # points in a distance, in full
REPEATS = 10  # exact sets that a distance is averaged over
MMD_SAMPLES, MMD_REPEATS = 1024, 4
MODES = 4  # times as mode_samples points have their modes counted
PLOTTED = 1500  # points kept for the figure


@dataclass(frozen=True)
class WeightedCell(Cell):
    """Energy weighting by one recipe on one density at one beta."""

    kind = "Weighted"
    density: str
    beta: float
    recipe: str
    seed: int
    plan: TrainingPlan
    samples: int = SAMPLES

    @property
    def title(self) -> str:
        """Density, method and beta."""
        return f"{self.density}, {self.recipe}, beta {self.beta:g}, seed {self.seed}"

    def run(self) -> Result:
        """Return the row of this beta."""
        density = DENSITIES[self.density]
        draw = energy_weighted(density, self.beta, RECIPES[self.recipe], self.plan, self.seed)
        return {"rows": [measure(density, self.beta, self.recipe, draw, self.seed, self.samples)]}


@dataclass(frozen=True)
class GuidedCell(Cell):
    """A method to compare with, on one density, at all its betas."""

    kind = "Guided"
    density: str
    betas: tuple[float, ...]
    method: str  # classifier-free, contrastive
    seed: int
    plan: TrainingPlan
    samples: int = SAMPLES

    @property
    def title(self) -> str:
        """Density and method."""
        return f"{self.density}, {self.method}, seed {self.seed}"

    def run(self) -> Result:
        """Return a row for each beta."""
        density = DENSITIES[self.density]
        method = {"classifier-free": classifier_free, "contrastive": contrastive}[self.method]
        guided = method(density, self.plan, self.seed)
        return {
            "rows": [
                measure(density, beta, self.method, guided(beta), self.seed, self.samples)
                for beta in self.betas
            ]
        }


def cells(
    seeds: int, plan: TrainingPlan, betas: tuple[float, ...] = BETAS, samples: int = SAMPLES
) -> Iterator[Cell]:
    """Yield the whole experiment: energy weighting seed by seed, then what it is compared with.

    The methods to compare with are trained on the first seed alone: they carry no target, and take
    as long as energy weighting.
    """
    for seed, name in product(range(seeds), DENSITIES):
        recipes = RECIPES if name == EightGaussians.name else EVERYWHERE
        for beta, recipe in product(betas, recipes):
            yield WeightedCell(name, beta, recipe, seed, plan, samples)
    guided = tuple(beta for beta in betas if beta)
    for name in DENSITIES:
        yield GuidedCell(name, (1.0, *guided), "classifier-free", 0, plan, samples)
        yield GuidedCell(name, guided, "contrastive", 0, plan, samples)


def measure(
    density: Density, beta: float, method: str, draw: Draw, seed: int, number: int = SAMPLES
) -> Result:
    """Return one row: distances of ``number`` samples to the exact tilt, and their floors."""
    samples = draw(number, torch.Generator().manual_seed(1000 + seed))
    exact = exact_sets(density.name, beta, number)
    few, few_exact = samples[:MMD_SAMPLES], [points[:MMD_SAMPLES] for points in exact]
    pairs = list(zip(exact[:REPEATS], exact[REPEATS:], strict=True))
    few_pairs = list(zip(few_exact[:MMD_REPEATS], few_exact[REPEATS:], strict=False))
    row: Result = {
        "density": density.name,
        "beta": beta,
        "method": method,
        "seed": seed,
        "sw2": _mean([sliced_wasserstein(samples, points) for points in exact[:REPEATS]]),
        "sw2_floor": _mean([sliced_wasserstein(a, b) for a, b in pairs]),
        "mmd2": _mean([mmd(few, points) for points in few_exact[:MMD_REPEATS]]),
        "mmd2_floor": _mean([mmd(a, b).abs() for a, b in few_pairs]),
        "farthest": float(samples.norm(dim=1).max()),
        "sample_share": sample_share(density.sample, beta),
        "points": [[round(v, 3) for v in point] for point in samples[:PLOTTED].tolist()],
    }
    if isinstance(density, EightGaussians):
        mode_samples = draw(MODES * number, torch.Generator().manual_seed(2000 + seed))
        masses = mode_masses(mode_samples, density.centres)
        row["mode_l1"] = float((masses - density.masses(beta)).abs().sum())
    return row


@lru_cache(maxsize=4)
def exact_sets(density: str, beta: float, number: int = SAMPLES) -> tuple[Tensor, ...]:
    """Return twice ``REPEATS`` exact sets, the same for every method and seed."""
    generator = torch.Generator().manual_seed(7)
    law = DENSITIES[density]
    return tuple(law.tilted(beta, number, generator) for _ in range(2 * REPEATS))


def _mean(values: list[Tensor]) -> float:
    return float(torch.stack(values).mean())
