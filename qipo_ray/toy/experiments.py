"""The experiments by name, each with its size in full and quick."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from qipo_ray.toy import board, densities, tilt
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
        lambda seeds: densities.cells(seeds, QUICK, betas=(10.0,)),
        board.report,
    ),
    "tilt": Experiment(
        "A Gaussian with a linear energy: trained fields against the closed form",
        lambda seeds: tilt.cells(seeds, Plan(updates=1500)),
        lambda seeds: tilt.cells(seeds, QUICK),
        tilt.report,
    ),
}
