"""The experiment on the six densities: its cells, its rows, its table and picture."""

from __future__ import annotations

import json
from collections import Counter

import pytest
import torch

from qipo_ray.flow.densities import DENSITIES
from qipo_ray.validation import density_tables as board
from qipo_ray.validation.density_cells import SAMPLES, Guided, Weighted, cells, measure
from qipo_ray.validation.experiment_report import (
    Target,
    demand,
    demand_table,
    markdown,
    upper_bound,
)
from qipo_ray.validation.learner import TrainingPlan
from qipo_ray.validation.methods import RECIPES, classifier_free
from qipo_ray.validation.runner import Result


def result(
    density: str, beta: float, method: str, seed: int, sw2: float, mode_l1: float = 0.01
) -> Result:
    row = {
        "density": density, "beta": beta, "method": method, "seed": seed, "sw2": sw2,
        "sw2_floor": 0.1, "mmd2": 0.001, "mmd2_floor": 0.0005, "farthest": 4.0,
        "sample_share": 0.5, "points": [[0.0, 1.0], [1.0, 0.0]],
    }  # fmt: skip
    if density == "8gaussians":
        row["mode_l1"] = mode_l1
    return {"rows": [row]}


def test_every_cell_has_a_file_of_its_own(plan: TrainingPlan) -> None:
    some = list(cells(2, plan))
    assert len({cell.file for cell in some}) == len(some) == 2 * 4 * (6 * 2 + 3) + 6 * 2
    assert Counter(type(cell) for cell in some) == {Weighted: 120, Guided: 12}
    assert {cell.file for cell in some}.isdisjoint(
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
    Weighted("moons", 3.0, "flow", 0, TrainingPlan(20, 64, 256, 16, 1)),
    Weighted("8gaussians", 3.0, "diffusion", 0, TrainingPlan(20, 64, 256, 16, 1)),
    Guided("rings", (1.0, 3.0), "classifier-free", 0, TrainingPlan(20, 64, 256, 16, 1)),
    Guided("rings", (3.0,), "contrastive", 0, TrainingPlan(20, 128, 256, 16, 1)),
], ids=lambda cell: cell.title)  # fmt: skip
@pytest.mark.slow
def test_a_cell_gives_the_same_rows_again(cell: Weighted | Guided) -> None:
    first, again = cell.run(), cell.run()
    assert first == again
    assert [row["density"] for row in first["rows"]] == [cell.density] * len(first["rows"])
    json.dumps(first, allow_nan=False)


@pytest.mark.slow
def test_guidance_at_beta_zero_is_the_data_and_at_one_the_positives() -> None:
    """Classifier-free guidance interpolates its two networks: 0 is one, 1 is the other."""
    guided = classifier_free(DENSITIES["moons"], TrainingPlan(updates=400, batch=256, width=64), 0)
    lower = {}
    for beta in (0.0, 1.0):
        points = guided(beta)(SAMPLES, torch.Generator().manual_seed(0))
        lower[beta] = float((points[:, 1] < 0.3).float().mean())
    exact = {beta: DENSITIES["moons"].tilted(beta, SAMPLES, torch.Generator().manual_seed(1))
             for beta in lower}  # fmt: skip
    for beta, points in exact.items():
        assert lower[beta] == pytest.approx(float((points[:, 1] < 0.3).float().mean()), abs=0.06)


@pytest.mark.slow
def test_the_report_names_what_misses() -> None:
    results = [
        result(name, beta, method, seed, 0.15)
        for name in DENSITIES
        for beta in (0.0, 3.0, 10.0)
        for method in ("flow", "diffusion")
        for seed in (0, 1)
        if (name, beta, method) != ("rings", 10.0, "flow")
    ]
    results += [result("rings", 10.0, "flow", seed, 0.25) for seed in (0, 1)]
    results += [result("8gaussians", 3.0, "cosine", 0, 0.1, mode_l1=0.061)]
    results += [
        result(name, 10.0, method, 0, 0.5)
        for name in DENSITIES
        for method in ("contrastive", "classifier-free")
    ]
    report = board.report(results)
    missed = [d.what for d in report.demands if not d.met]
    assert missed == [
        "sliced W2 / floor, rings, flow, beta 10",
        "mode masses L1, 8gaussians, cosine, beta 3",
    ]
    assert report.pictures["densities.png"].startswith(b"\x89PNG")
    document = markdown("Title", report)
    assert "| rings | 10 | flow | 0.250 ± 0.000 | 0.100 | 2.50 ± 0.00 |" in document
    assert "![densities.png](densities.png)" in document


def test_bounds_are_students() -> None:
    """Five values: mean + 2.132 s / sqrt(5)."""
    values = [1.0, 2.0, 3.0, 4.0, 5.0]
    assert upper_bound(values) == pytest.approx(3 + 2.132 * 2.5**0.5 / 5**0.5)
    assert upper_bound([7.0]) == 7.0
    one = demand("x", values, 4.6)
    assert one == Target("x", upper_bound(values), 4.6, 5) and one.met
    assert demand_table([one, demand("y", values, 4.0)]).rows[1][-1] == "NO"


def test_recipes_are_the_papers_variants() -> None:
    assert [RECIPES[name].path for name in ("flow", "diffusion")] == ["ot", "vp"]
