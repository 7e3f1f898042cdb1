"""The table, the targets and the picture of the six densities."""

from __future__ import annotations

import pytest

from qipo_ray.flow.densities import DENSITIES
from qipo_ray.validation import density_tables
from qipo_ray.validation.cell_runner import Result
from qipo_ray.validation.experiment_report import markdown


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
    report = density_tables.report(results)
    missed = [d.name for d in report.targets if not d.met]
    assert missed == [
        "sliced W2 / floor, rings, flow, beta 10",
        "mode masses L1, 8gaussians, cosine, beta 3",
    ]
    assert report.pictures["densities.png"].startswith(b"\x89PNG")
    document = markdown("Title", report)
    assert "| rings | 10 | flow | 0.250 ± 0.000 | 0.100 | 2.50 ± 0.00 |" in document
    assert "![densities.png](densities.png)" in document
