"""Plans so small that a training takes a fraction of a second."""

from __future__ import annotations

import pytest

from qipo_ray.validation.learner import TrainingPlan


@pytest.fixture
def plan() -> TrainingPlan:
    return TrainingPlan(updates=20, batch=64, weighed=256, width=16, blocks=1)
