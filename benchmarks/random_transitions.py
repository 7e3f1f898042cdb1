"""Rows of D4RL's shape that mean nothing, for benchmarks."""

from __future__ import annotations

import numpy as np
import torch

from qipo_ray.agent import Tensors
from qipo_ray.data.transitions import Transitions

STATES, ACTIONS = 17, 6  # dimensions, as HalfCheetah's


def random_tensors(rows: int, device: str = "cpu") -> Tensors:
    """Return so many transitions on a device, in episodes of 1,000, all rewards 0."""
    rng, zeros = np.random.default_rng(0), np.zeros(rows, np.float32)
    observations = rng.normal(size=(rows, STATES)).astype(np.float32)
    transitions = Transitions(
        observations=observations,
        actions=rng.uniform(-1, 1, (rows, ACTIONS)).astype(np.float32),
        rewards=zeros,
        next_observations=np.roll(observations, -1, 0),
        terminals=zeros,
        returns=zeros,
        returns_valid=np.ones(rows, bool),
        episodes=(np.arange(rows) // 1000).astype(np.int32),
    )
    return Tensors.from_transitions(transitions, "standard", torch.device(device))
