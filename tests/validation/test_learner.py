"""Training: what it reaches, and what it depends on."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor

from qipo_ray.flow import path_named
from qipo_ray.flow.known import Mixture
from qipo_ray.validation.estimators import drawn, plain, sample_share, weighted
from qipo_ray.validation.learner import Trained, TrainingPlan, matching_loss, train
from qipo_ray.validation.tilt import SLOPE, field_errors, sample_prior

OT = path_named("ot")


def weights_of(model: Trained) -> Tensor:
    return torch.cat([value.flatten() for value in model.params.values()])


def test_beta_zero_is_unweighted_training_to_the_bit(plan: TrainingPlan) -> None:
    plan = replace(plan, batch=100)  # no power of two: 1/100 is not exact
    batches = partial(plain, sample_prior, plan), partial(weighted, sample_prior, 0.0, plan)
    unweighted, evenly = (train(0, 2, matching_loss(OT, "velocity", b), plan, 0) for b in batches)
    assert torch.equal(weights_of(unweighted), weights_of(evenly))


@pytest.mark.parametrize("estimator", [weighted, drawn])
def test_a_constant_added_to_the_energy_changes_nothing(
    plan: TrainingPlan, estimator: object
) -> None:
    def sample_rounded(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        points, energies = sample_prior(count, generator)
        return points, (energies * 1024).round() / 1024  # so that adding 64 loses no bit

    def shifted(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        points, energies = sample_rounded(count, generator)
        return points, energies + 64.0

    models = [
        train(0, 2, matching_loss(OT, "velocity", partial(estimator, sample, 2.0, plan)), plan, 0)
        for sample in (sample_rounded, shifted)
    ]
    assert torch.equal(*map(weights_of, models))


def test_a_training_depends_on_its_seed_alone(plan: TrainingPlan) -> None:
    loss = matching_loss(OT, "velocity", partial(plain, sample_prior, plan))
    first, repeated, reseeded = (weights_of(train(0, 2, loss, plan, seed)) for seed in (3, 3, 4))
    assert torch.equal(first, repeated) and not torch.equal(first, reseeded)


def test_drawn_batches_have_the_weighted_mean() -> None:
    plan = TrainingPlan(updates=1, batch=40_000, weighed=40_000)
    _, points, weights = drawn(sample_prior, 1.0, plan, torch.Generator().manual_seed(0))
    assert torch.equal(weights, torch.ones(len(points)))
    torch.testing.assert_close(points.mean(0), -SLOPE, atol=0.03, rtol=0)


def test_the_effective_share_of_a_gaussian_tilt() -> None:
    """``E[w]² / E[w²] = exp(-beta²)`` for ``w = exp(-beta z)`` with z ~ N(0, 1)."""
    assert sample_share(sample_prior, 1.0) == pytest.approx(0.3679, rel=0.03)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "predicts"), [("ot", "velocity"), ("vp", "noise_residual"), ("trig", "v")]
)
def test_a_trained_field_is_near_the_closed_form(path: str, predicts: str) -> None:
    """Theorem 4.3 and Corollary 4.8 by training: the guided velocity, no auxiliary model."""
    plan = TrainingPlan(updates=500, batch=512, width=64)
    law_path = path_named(path)
    batches = partial(weighted, sample_prior, 1.0, plan)
    model = train(0, 2, matching_loss(law_path, predicts, batches), plan, 0)
    field = model.field(law_path, predicts)
    law = Mixture.gaussian(torch.zeros(2)).tilted_linearly(SLOPE, 1.0)
    generator = torch.Generator().manual_seed(1)
    error = field_errors(field, law.field(law_path), law, generator)["velocity_error"]
    untilted = Mixture.gaussian(torch.zeros(2)).field(law_path)
    untilted_error = field_errors(untilted, law.field(law_path), law, generator)["velocity_error"]
    assert error < 0.1 < 0.3 < untilted_error
