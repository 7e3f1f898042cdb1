"""Fitted Q evaluation: a chain whose values are known, and policies side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from qipo_ray.agent import State, Tensors
from qipo_ray.agent.fitted_q import FixedPolicy, episode_starts, fitted_q
from qipo_ray.config import Config
from qipo_ray.data.transitions import Transitions

DISCOUNT = 0.8
EPISODES = 200
CRITIC = (
    "critic.width=32",
    "critic.learning_rate=0.003",
    "critic.batch_size=64",
    "critic.polyak=0.1",
    f"critic.discount={DISCOUNT}",
)
CHAIN = [1.0, 2.0, 4.0]  # what going on pays at each of its three places


def always(action: float) -> Callable[[Tensor, Generator], Tensor]:
    return lambda states, generator: torch.full((len(states), 1), action)


@pytest.fixture(scope="module")
def chain() -> Tensors:
    """Action 1 pays and goes on to the next place, action -1 pays nothing and stays for ever.

    Half of the episodes begin at the first place, half at the second.
    """
    rng = np.random.default_rng(0)
    rows = []
    for episode in range(EPISODES):
        place = episode % 2
        for _ in range(6):
            forward = rng.random() < 0.5
            after = place + forward
            reward = 3 * CHAIN[place] if forward else 0.0  # three times that of the data
            rows.append((place, 2.0 * forward - 1, reward, min(after, 2), after == 3, episode))
            if after == 3:
                break
            place = after
    columns = zip(*rows, strict=True)
    places, actions, rewards, following, ends, episodes = map(np.array, columns)
    places, following = (np.eye(3, dtype=np.float32)[column] for column in (places, following))
    zeros = np.zeros(len(rewards), np.float32)
    transitions = Transitions(
        observations=places,
        actions=actions.astype(np.float32)[:, None],
        rewards=rewards.astype(np.float32),
        next_observations=following,
        terminals=ends.astype(np.float32),
        returns=zeros,
        returns_valid=zeros == 0,
        episodes=episodes.astype(np.int32),
        reward_scale=3.0,
    )
    return Tensors.from_transitions(transitions, "raw", torch.device("cpu"))


@pytest.mark.slow
def test_the_worth_of_known_policies_is_found_side_by_side_and_alone(
    chain: Tensors, configure: Callable[..., Config]
) -> None:
    config = configure(*CRITIC)
    going, staying = (FixedPolicy(config, 3, always(action), None) for action in (1.0, -1.0))
    together = fitted_q([going, staying], chain, 500)
    second = CHAIN[1] + DISCOUNT * CHAIN[2]
    first = CHAIN[0] + DISCOUNT * second
    assert all(worth is not None and worth.episodes == EPISODES for worth in together)
    assert together[0].mean == pytest.approx((first + second) / 2, abs=0.15)
    assert together[0].std == pytest.approx(abs(first - second) / 2, abs=0.15)
    assert together[1].mean == pytest.approx(0, abs=0.15)
    (alone,) = fitted_q([staying], chain, 500)
    assert alone.mean == pytest.approx(together[1].mean, abs=1e-3)


def test_it_begins_at_the_returns_and_moves_no_other_stream(
    data: Tensors, upstream: dict[str, State], configure: Callable[..., Config]
) -> None:
    critic = upstream["critic"]
    policy = FixedPolicy(configure(), 0, lambda states, generator: states[:, :2].tanh(), critic)
    before = torch.get_rng_state()
    (worth,) = fitted_q([policy], data, 0)
    assert worth == fitted_q([policy], data, 0)[0] and torch.equal(before, torch.get_rng_state())
    kept = {**critic["weights"], "returns": torch.zeros_like(critic["weights"]["online"])}
    (nothing,) = fitted_q([replace(policy, critic={**critic, "weights": kept})], data, 0)
    assert worth.mean != 0 and (nothing.mean, nothing.std) == (0, 0)
    assert episode_starts(data).tolist() == list(range(0, 400, 10))


@pytest.mark.parametrize("size", [float("nan"), 1e9])
def test_a_q_that_no_policy_can_have_is_no_worth(
    size: float, data: Tensors, upstream: dict[str, State], configure: Callable[..., Config]
) -> None:
    critic = upstream["critic"]
    weights = {"online": torch.full_like(critic["weights"]["online"], size)}
    wild = FixedPolicy(configure(), 0, always(0.5), {**critic, "weights": weights})
    act = lambda states, generator: states[:, :2].tanh()  # noqa: E731
    assert fitted_q([replace(wild, act=act)], data, 0) == [None]
