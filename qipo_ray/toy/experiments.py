"""The experiments by name, each with its size in full and quick."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from qipo_ray.toy import (
    accuracy,
    board,
    densities,
    dimension,
    dimension_board,
    rounds,
    rounds_board,
    tilt,
)
from qipo_ray.toy.learner import Plan
from qipo_ray.toy.report import Report
from qipo_ray.toy.runner import Cell, Result


@dataclass(frozen=True)
class Experiment:
    """A question, the cells that answer it, and how their results are told."""

    title: str
    full: Callable[[int], Iterator[Cell]]  # number of seeds -> cells
    quick: Callable[[int], Iterator[Cell]]
    report: Callable[[Sequence[Result]], Report]


QUICK = Plan(updates=100, batch=256, weighed=2048)

EXPERIMENTS: dict[str, Experiment] = {
    "densities": Experiment(
        "Six densities: energy-weighted flow and diffusion against the exact tilt",
        lambda seeds: densities.cells(seeds, Plan(updates=1500, learning_rate=6e-3)),
        lambda seeds: densities.cells(seeds, QUICK, betas=(10.0,), samples=1024),
        board.report,
    ),
    "tilt": Experiment(
        "A Gaussian with a linear energy: trained fields against the closed form",
        lambda seeds: tilt.cells(seeds, Plan(updates=2000, batch=1024, width=64)),
        lambda seeds: tilt.cells(seeds, QUICK),
        tilt.report,
    ),
    "rounds": Experiment(
        "Rounds: what repeated improvement adds up to, and what finite support sets take away",
        lambda seeds: rounds.cells(seeds, Plan(updates=1000, batch=256)),
        lambda seeds: rounds.cells(seeds, Plan(updates=20, batch=64, width=32), pool=2048),
        rounds_board.report,
    ),
    "dimension": Experiment(
        "Dimension: errors of actions and states of more and more dimensions at an equal tilt",
        lambda seeds: dimension.cells(seeds, Plan(updates=500, batch=256, weighed=1024)),
        lambda seeds: dimension.cells(
            seeds, Plan(updates=50, batch=64, weighed=256, width=32), (2, 32), (4, 64)
        ),
        dimension_board.report,
    ),
    "accuracy": Experiment(
        "Accuracy: solvers against network evaluations on an exact field",
        lambda seeds: accuracy.cells(seeds, Plan(updates=0, batch=2048)),
        lambda seeds: accuracy.cells(seeds, Plan(updates=0, batch=128)),
        accuracy.report,
    ),
}
