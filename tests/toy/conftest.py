"""Plans so small that a training takes a fraction of a second."""

from __future__ import annotations

import pytest

from qipo_ray.toy.learner import Plan


@pytest.fixture
def plan() -> Plan:
    return Plan(updates=20, batch=64, weighed=256, width=16, blocks=1)
