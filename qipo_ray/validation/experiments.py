"""The experiments by name, each with its size in full and quick."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from qipo_ray.validation import (
    accuracy,
    density_cells,
    density_tables,
    dimension_cells,
    dimension_tables,
    rounds_cells,
    rounds_tables,
    tilt,
)
from qipo_ray.validation.cell_runner import Cell, Result
from qipo_ray.validation.experiment_report import ExperimentReport
from qipo_ray.validation.learner import TrainingPlan


@dataclass(frozen=True)
class Experiment:
    """A question, the cells that answer it, and the report of their results."""

    title: str
    full: Callable[[int], Iterator[Cell]]  # number of seeds -> cells
    quick: Callable[[int], Iterator[Cell]]
    report: Callable[[Sequence[Result]], ExperimentReport]


QUICK = TrainingPlan(updates=100, batch=256, weighed=2048)

EXPERIMENTS: dict[str, Experiment] = {
    "densities": Experiment(
        "Six densities: energy-weighted flow and diffusion against the exact tilt",
        lambda seeds: density_cells.cells(seeds, TrainingPlan(updates=1500, learning_rate=6e-3)),
        lambda seeds: density_cells.cells(seeds, QUICK, betas=(10.0,), samples=1024),
        density_tables.report,
    ),
    "tilt": Experiment(
        "A Gaussian with a linear energy: trained fields against the closed form",
        lambda seeds: tilt.cells(seeds, TrainingPlan(updates=2000, batch=1024, width=64)),
        lambda seeds: tilt.cells(seeds, QUICK),
        tilt.report,
    ),
    "rounds": Experiment(
        "Rounds: what repeated improvement adds up to, and what finite support sets take away",
        lambda seeds: rounds_cells.cells(seeds, TrainingPlan(updates=1000, batch=256)),
        lambda seeds: rounds_cells.cells(
            seeds, TrainingPlan(updates=20, batch=64, width=32), pool=2048
        ),
        rounds_tables.report,
    ),
    "dimension": Experiment(
        "Dimension: errors of actions and states of more and more dimensions at an equal tilt",
        lambda seeds: dimension_cells.cells(
            seeds, TrainingPlan(updates=500, batch=256, weighed=1024)
        ),
        lambda seeds: dimension_cells.cells(
            seeds, TrainingPlan(updates=50, batch=64, weighed=256, width=32), (2, 32), (4, 64)
        ),
        dimension_tables.report,
    ),
    "accuracy": Experiment(
        "Accuracy: solvers against network evaluations on an exact field",
        lambda seeds: accuracy.cells(seeds, TrainingPlan(updates=0, batch=2048)),
        lambda seeds: accuracy.cells(seeds, TrainingPlan(updates=0, batch=128)),
        accuracy.report,
    ),
}
