"""Repeated improvement: exact bookkeeping, drawing from sets, cells and their report."""

from __future__ import annotations

import pytest
import torch

from qipo_ray.flow.distances import mode_masses
from qipo_ray.validation import rounds_tables
from qipo_ray.validation.finite_support import (
    implied_beta,
    laws_of_rounds,
    mean_value,
    support_law,
    tilted,
)
from qipo_ray.validation.learner import TrainingPlan
from qipo_ray.validation.rounds_cells import (
    DENSITY,
    UNIFORM,
    VALUES,
    RoundsCell,
    cells,
    drawn_from_sets,
    exact_samples,
    masses_of,
    nearest,
)


def test_modes_are_the_nearest_centres() -> None:
    points, _ = DENSITY.sample(2000, torch.Generator().manual_seed(0))
    assert torch.equal(nearest(points), torch.cdist(points, DENSITY.centres).argmin(1))
    torch.testing.assert_close(masses_of(points).float(), mode_masses(points, DENSITY.centres))


def test_an_empty_mode_counts_half_a_sample() -> None:
    masses = masses_of(DENSITY.centres[:1].expand(99, 2))
    assert masses.min() == pytest.approx(0.5 / 102.5)


def test_exact_samples_have_the_target_masses() -> None:
    target = tilted(UNIFORM, VALUES, 6.0)
    masses = masses_of(exact_samples(target, 0))
    torch.testing.assert_close(masses, target, atol=0.02, rtol=0)


def test_actions_drawn_from_sets_follow_the_finite_law() -> None:
    generator = torch.Generator().manual_seed(0)
    pool, _ = DENSITY.sample(50_000, generator)
    logits = 10.0 * VALUES[nearest(pool)]
    states, chosen, weights = drawn_from_sets(pool, logits, 4, 50_000, generator)
    law = support_law(UNIFORM, VALUES, 10.0, 4)
    torch.testing.assert_close(masses_of(chosen), law, atol=0.01, rtol=0)
    assert states.shape == (50_000, 0) and torch.equal(weights, torch.ones(50_000))


@pytest.mark.slow
def test_cells_differ_and_are_reproducible(plan: TrainingPlan) -> None:
    grid = list(cells(2, plan))
    assert len({cell.file for cell in grid}) == len(grid) == 18
    cell = RoundsCell(3.0, 4, 2, 1, 256, 0, plan)
    assert cell.run() == cell.run()


def row(beta: float, support_size: int, done: int, seed: int, off: float) -> dict[str, object]:
    """A cell's row whose effective beta is the law's times ``1 + off``."""
    law = laws_of_rounds(UNIFORM, VALUES, beta, support_size, done)[-1]
    law_beta = implied_beta(law, UNIFORM, VALUES)
    masses = tilted(UNIFORM, VALUES, law_beta * (1 + off))
    schedule = {"beta": beta, "support_size": support_size, "round": done, "seed": seed}
    means = {"mean_q": mean_value(masses, VALUES), "law_mean_q": mean_value(law, VALUES)}
    betas = {"implied_beta": law_beta * (1 + off), "law_beta": law_beta}
    laws = {"masses": masses.tolist(), "law_masses": law.tolist()}
    return {**schedule, **means, **betas, **laws, "sw2": 0.2, "law_sw2": 0.1, "sw2_floor": 0.05}


@pytest.mark.slow
def test_the_report_holds_the_samples_to_the_law() -> None:
    offs = {4: 0.02, 16: -0.2, 64: 0.05}
    results = [
        {"rows": [row(beta, size, done, seed, off) for done in range(1, rounds + 1)]}
        for seed in (0, 1)
        for size, off in offs.items()
        for beta, rounds in ((3.0, 5), (10.0, 5), (6.0, 1))
    ]
    report = rounds_tables.report(results)
    assert report.pictures["rounds.png"].startswith(b"\x89PNG")
    equal, ratio, *laws = report.targets
    assert equal.name == "mean Q, 2 x 3 against 1 x 6, M = 64" and equal.met and equal.seeds == 2
    assert ratio.name.startswith("effective beta, 2 x 3") and ratio.met
    assert [d.name.rsplit(" ", 1)[1] for d in laws if not d.met] == ["16", "16"]
    assert laws[0].bound == pytest.approx(0.02)
    effective = report.tables[1].rows
    assert effective[2][:3] == ("3", "64", "3.09 ± 0.00 (2.94)") and len(effective) == 6
