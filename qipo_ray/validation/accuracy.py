"""Solvers against network evaluations, on a field that is known exactly: nothing is trained.

The law is 8gaussians tilted at beta = 10. The error is the distance of a solver's end points to
those of a fine reference from the same noise, so it is the solver's alone. A start between two
modes may end in the wrong one; a single such point would decide the whole RMS, so the share of
those is a number of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from qipo_ray.flow import draw, path_named
from qipo_ray.flow.densities import EightGaussians
from qipo_ray.flow.known import Mixture
from qipo_ray.flow.paths import PATHS
from qipo_ray.flow.solvers import SOLVERS
from qipo_ray.validation.cell_runner import Cell, Result
from qipo_ray.validation.charts import Panel, chart, over_seeds
from qipo_ray.validation.experiment_report import ExperimentReport, ExperimentTable
from qipo_ray.validation.learner import TrainingPlan

EVALUATIONS = (4, 8, 12, 16, 24, 32, 48, 64)
REFERENCE = "rk4", 8192  # solver and evaluations; float64
BETA = 10.0
PATH_NAMES = {
    "ot": "ot: straight path",
    "vp": "vp: diffusion",
    "trig": "trig: cosine path",
}


@dataclass(frozen=True)
class SolverCell(Cell):
    """All solvers on one path from one set of noise."""

    kind = "SolverErrors"
    path: str
    count: int  # noises
    seed: int

    @property
    def title(self) -> str:
        """The path."""
        return f"solvers on the path {self.path}, noise {self.seed}"

    def run(self) -> Result:
        """Return the errors of each solver in the order of ``EVALUATIONS``."""
        field = tilted_gaussians().field(path_named(self.path))
        generator = torch.Generator().manual_seed(self.seed)
        noise = torch.randn(self.count, 2, generator=generator, dtype=torch.float64)
        exact = draw(field, noise, *REFERENCE)
        centres = EightGaussians().centres.double()
        exact_modes = torch.cdist(exact, centres).argmin(1)
        errors: dict[str, list[float]] = {}
        strayed: dict[str, list[float]] = {}
        for solver in SOLVERS:
            ends = [draw(field, noise, solver, n) for n in EVALUATIONS]
            same = [torch.cdist(end, centres).argmin(1) == exact_modes for end in ends]
            errors[solver] = [rms((e - exact)[s]) for e, s in zip(ends, same, strict=True)]
            strayed[solver] = [1 - float(s.double().mean()) for s in same]
        return {"path": self.path, "seed": self.seed, "errors": errors, "strayed": strayed}


def tilted_gaussians() -> Mixture:
    """Return 8gaussians tilted at beta = 10 as a mixture in float64."""
    law = EightGaussians()
    centres = law.centres.double()
    deviations = centres.new_full((8,), 0.5 / law.scale)
    energies = -torch.arange(8, dtype=torch.float64) / 7
    mixture = Mixture(centres.new_zeros(8), centres, deviations)
    return mixture.tilted_by_component(energies, BETA)


def rms(offsets: Tensor) -> float:
    """Return the root of the mean squared length of offsets ``(n, A)``."""
    return math.sqrt(float(offsets.square().sum(1).mean()))


def cells(seeds: int, plan: TrainingPlan) -> Iterator[Cell]:
    """Yield every path for each set of ``plan.batch`` noises; a seed is one such set."""
    for seed, path in product(range(seeds), PATHS):
        yield SolverCell(path, plan.batch, seed)


def report(results: Sequence[Result]) -> ExperimentReport:
    """Return the errors by path, solver and evaluations, and their chart."""
    panels = []
    for path in PATHS:
        lines = []
        for style, solver in enumerate(SOLVERS):
            sets = [r["errors"][solver] for r in results if r["path"] == path]
            by_count = list(zip(*sets, strict=True))
            lines.append(over_seeds(solver, EVALUATIONS, by_count, style))
        panels.append(
            Panel(
                PATH_NAMES.get(path, path), "network evaluations", "RMS error of the end point",
                lines, ticks=(4, 8, 16, 32, 64),
            )
        )  # fmt: skip
    errors = ExperimentTable(
        "RMS distance of the end points to the exact ones, by network evaluations",
        ("path", "solver", *map(str, EVALUATIONS)),
        _rows(results, "errors", 1),
        labels=2,
        note=(
            "8gaussians tilted at beta = 10, exact field, uniform times, same noise, over the "
            "points that end in the right mode; modes have deviation 0.35 and stand 2.2 apart. "
            "Reference: RK4 with 8,192 evaluations in float64."
        ),
    )
    strayed = ExperimentTable(
        "Percent of points that end in another mode",
        ("path", "solver", *map(str, EVALUATIONS)),
        _rows(results, "strayed", 100),
        labels=2,
    )
    return ExperimentReport(
        (errors, strayed), pictures={"accuracy.png": chart(panels, share_y=True)}
    )


def _rows(results: Sequence[Result], name: str, unit: float) -> tuple[tuple[str, ...], ...]:
    """Return a row for each path and solver: means over the sets of noise."""
    rows = []
    for path, solver in product(PATHS, SOLVERS):
        sets = [r[name][solver] for r in results if r["path"] == path]
        means = [unit * sum(values) / len(values) for values in zip(*sets, strict=True)]
        rows.append((path, solver, *(f"{mean:.2g}" for mean in means)))
    return tuple(rows)
