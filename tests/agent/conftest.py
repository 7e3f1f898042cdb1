"""A small task for the three stages: 400 rows in two dimensions with a known best action."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch

from qipo_ray.agent import Member, Pack, State, Tensors, pack_of
from qipo_ray.config import Config, load_config, stage_keys
from qipo_ray.data.transitions import Transitions

SMALL = (
    "behaviour.width=16",
    "behaviour.blocks=1",
    "behaviour.batch_size=32",
    "critic.width=16",
    "critic.layers=2",
    "critic.batch_size=32",
    "critic.returns_updates=20",
    "critic.refresh_every=15",
    "critic.pool=100",
    "critic.support_size=4",
    "policy.support_size=6",
    "policy.batch_size=16",
    "policy.pool=50",
    "policy.renew_every=20",
    "sampler.evaluations=4",
)


@pytest.fixture
def configure() -> Callable[..., Config]:
    """A small configuration with changes."""
    return lambda *changes: load_config("quickstart", [*SMALL, *changes])


@pytest.fixture(scope="session")
def data() -> Tensors:
    """Reward is the first action; every tenth row is terminal."""
    rng = np.random.default_rng(0)
    observations = rng.normal(size=(400, 2)).astype(np.float32)
    actions = rng.uniform(-1, 1, size=(400, 2)).astype(np.float32)
    terminals = (np.arange(400) % 10 == 9).astype(np.float32)
    rewards = actions[:, 0].copy()
    returns = np.zeros(400, np.float32)
    for i in reversed(range(400)):
        following = returns[i + 1] if i < 399 else 0
        returns[i] = rewards[i] + 0.99 * (1 - terminals[i]) * following
    rows = Transitions(
        observations=observations,
        actions=actions,
        rewards=rewards,
        next_observations=np.roll(observations, -1, 0),
        terminals=terminals,
        returns=returns,
        returns_valid=np.ones(400, bool),
        episodes=np.arange(400, dtype=np.int32) // 10,
    )
    return Tensors.from_transitions(rows, "standard", torch.device("cpu"))


@pytest.fixture
def trained(data: Tensors) -> Callable[..., tuple[Pack, dict[str, State]]]:
    """A pack of one (seed, configuration) per member after some updates, with its upstream."""

    def train(
        stage: str, members: list[tuple[int, Config]], updates: int
    ) -> tuple[Pack, dict[str, State]]:
        upstream = upstream_of(stage, members[0][1], data)
        pack = pack_of(stage, members[0][1], data)
        for seed, config in members:
            pack.admit(Member(config, seed), upstream, None)
        for _ in range(updates):
            pack.update()
        return pack, upstream

    return train


@pytest.fixture(scope="session")
def upstream(data: Tensors) -> dict[str, State]:
    """The states of a small clone and a small critic, for policies that build on both."""
    return upstream_of("policy", load_config("quickstart", SMALL), data)


TRAINED: dict[tuple[int, str], State] = {}  # by data and key: many tests ask for equal ones


def upstream_of(stage: str, config: Config, data: Tensors) -> dict[str, State]:
    """States of the earlier stages, a few updates old; what is equal was trained once."""
    states: dict[str, State] = {}
    keys = stage_keys(config, "small", "", 7)
    for earlier in ("behaviour", "critic")[: ("behaviour", "critic", "policy").index(stage)]:
        place = (id(data), keys.get(earlier, str(config)))
        if place not in TRAINED:
            pack = pack_of(earlier, config, data)
            pack.admit(Member(config, 7), dict(states), None)
            for _ in range(25):
                pack.update()
            TRAINED[place] = pack.state(0)
        states[earlier] = copy.deepcopy(TRAINED[place])
    return states
