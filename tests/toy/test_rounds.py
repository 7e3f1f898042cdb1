"""Repeated improvement: exact bookkeeping, drawing from sets, cells and their report."""

from __future__ import annotations

import pytest
import torch

from qipo_ray.flow.distances import mode_masses
from qipo_ray.toy import rounds_board
from qipo_ray.toy.finite import support_law, tilted
from qipo_ray.toy.learner import Plan
from qipo_ray.toy.rounds import (
    DENSITY,
    UNIFORM,
    VALUES,
    Iteration,
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


def test_exact_samples_have_the_wanted_masses() -> None:
    wanted = tilted(UNIFORM, VALUES, 6.0)
    seen = masses_of(exact_samples(wanted, 0))
    torch.testing.assert_close(seen, wanted, atol=0.02, rtol=0)


def test_actions_drawn_from_sets_follow_the_finite_law() -> None:
    generator = torch.Generator().manual_seed(0)
    pool, _ = DENSITY.sample(50_000, generator)
    logits = 10.0 * VALUES[nearest(pool)]
    states, chosen, weights = drawn_from_sets(pool, logits, 4, 50_000, generator)
    law = support_law(UNIFORM, VALUES, 10.0, 4)
    torch.testing.assert_close(masses_of(chosen), law, atol=0.01, rtol=0)
    assert states.shape == (50_000, 0) and torch.equal(weights, torch.ones(50_000))


def test_cells_differ_and_are_reproducible(plan: Plan) -> None:
    whole = list(cells(2, plan))
    assert len({cell.file for cell in whole}) == len(whole) == 18
    one = Iteration(3.0, 4, 2, 1, 256, 0, plan)
    assert one.run() == one.run()


def test_the_report_holds_the_samples_to_the_law(plan: Plan) -> None:
    results = [cell.run() for cell in cells(1, plan, pool=256)]
    report = rounds_board.report(results)
    assert report.pictures["rounds.png"].startswith(b"\x89PNG")
    assert "95 % bound" in report.tables[-1].columns
    (equal,) = [d for d in report.demands if d.what.startswith("mean Q, 2 x 3 against 1 x 6")]
    twice = [r for r in results[6]["rows"] if r["round"] == 2][0]
    assert equal.seen == pytest.approx(abs(twice["mean_q"] - results[8]["rows"][0]["mean_q"]))
    assert all(not demand.met for demand in report.demands[1:])  # hardly trained
