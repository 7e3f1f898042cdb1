"""The six densities: cells and their rows."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from qipo_ray.flow.densities import DENSITIES
from qipo_ray.validation.density_cells import GuidedCell, WeightedCell, cells, measure
from qipo_ray.validation.learner import TrainingPlan


def test_every_cell_has_a_file_of_its_own(plan: TrainingPlan) -> None:
    grid = list(cells(2, plan))
    assert len({cell.file for cell in grid}) == len(grid) == 2 * 4 * (6 * 2 + 3) + 6 * 2
    assert Counter(type(cell) for cell in grid) == {WeightedCell: 120, GuidedCell: 12}
    assert {cell.file for cell in grid}.isdisjoint(
        c.file for c in cells(1, TrainingPlan(updates=21))
    )


@pytest.mark.slow
def test_exact_samples_are_at_the_floor() -> None:
    """A method that draws from the tilt itself stands at the floor in every number."""
    density = DENSITIES["8gaussians"]
    row = measure(density, 10.0, "exact", lambda n, g: density.tilted(10.0, n, g), 0)
    assert 0.5 < row["sw2"] / row["sw2_floor"] < 1.5
    assert abs(row["mmd2"]) < 4 * row["mmd2_floor"] and row["mode_l1"] < 0.05
    off = measure(density, 10.0, "off", lambda n, g: density.tilted(3.0, n, g), 0)
    assert off["sw2"] > 5 * row["sw2"] and off["mode_l1"] > 0.3
    json.dumps(row, allow_nan=False)


@pytest.mark.parametrize("cell", [
    WeightedCell("moons", 3.0, "flow", 0, TrainingPlan(20, 64, 256, 16, 1), 512),
    WeightedCell("8gaussians", 3.0, "diffusion", 0, TrainingPlan(20, 64, 256, 16, 1), 512),
    GuidedCell("rings", (1.0, 3.0), "classifier-free", 0, TrainingPlan(20, 64, 256, 16, 1), 512),
    GuidedCell("rings", (3.0,), "contrastive", 0, TrainingPlan(20, 128, 256, 16, 1), 512),
], ids=lambda cell: cell.title)  # fmt: skip
@pytest.mark.slow
def test_a_cell_gives_the_same_rows_again(cell: WeightedCell | GuidedCell) -> None:
    first, again = cell.run(), cell.run()
    assert first == again
    assert [row["density"] for row in first["rows"]] == [cell.density] * len(first["rows"])
    json.dumps(first, allow_nan=False)
