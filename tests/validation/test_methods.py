"""The methods: their forms, and what guidance draws at the ends of its range."""

from __future__ import annotations

import pytest
import torch

from qipo_ray.flow.densities import DENSITIES
from qipo_ray.validation.density_cells import SAMPLES
from qipo_ray.validation.learner import TrainingPlan
from qipo_ray.validation.methods import RECIPES, classifier_free


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


def test_recipes_are_the_papers_variants() -> None:
    assert [RECIPES[name].path for name in ("flow", "diffusion")] == ["ot", "vp"]
