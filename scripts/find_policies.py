"""Find the linear policies that make the generated locomotion data, by augmented random search.

    python scripts/find_policies.py hopper --output qipo_ray/evaluation/policies

Version 2-t of Mania et al. (2018): random directions in pairs, the best of them kept, steps scaled
by the spread of their returns, observations whitened as they come. Without the alive bonus, which
would teach standing still. Equal arguments give equal numbers, with the same MuJoCo.

A file holds policies in the order in which the search went through them, from no skill to the
best: ``weights (K, A, S + 1)``, the last column the bias, and ``returns (K,)``, means of 80
episodes as the data hold them.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qipo_ray.data.tasks import get_task
from qipo_ray.evaluation.linear import Act, behaviour
from qipo_ray.evaluation.simulators import make_simulator

KEPT = 12  # policies in a file
EPISODES = 20  # that measure a policy on the way
SHAKEN = 80  # that measure one with the data's noise
LIVE = np.array([0])


@dataclass(frozen=True)
class Search:
    """One search: its steps are ``rounds`` of 2 ``directions`` episodes."""

    rounds: int
    directions: int
    top: int  # directions that count
    step: float
    noise: float
    alive_bonus: float


SEARCHES = {
    "hopper": Search(80, 8, 4, 0.01, 0.025, 1.0),
    "walker2d": Search(300, 16, 8, 0.03, 0.025, 1.0),
    "halfcheetah": Search(60, 16, 8, 0.02, 0.03, 0.0),
}


class Whitening:
    """Running mean and standard deviation of every observation seen."""

    def __init__(self, size: int) -> None:
        self.count, self.mean, self.squares = 1.0, np.zeros(size), np.ones(size)

    def add(self, seen: np.ndarray) -> None:
        """Take observations ``(T, S)`` in."""
        total = self.count + len(seen)
        shift = seen.mean(axis=0) - self.mean
        self.mean = self.mean + shift * len(seen) / total
        self.squares = self.squares + seen.var(axis=0) * len(seen)
        self.squares += shift**2 * self.count * len(seen) / total
        self.count = total

    def affine(self, weights: np.ndarray) -> np.ndarray:
        """Return whitened weights ``(A, S)`` as ``(A, S + 1)`` for raw observations."""
        scaled = weights / np.sqrt(self.squares / self.count + 1e-8)
        return np.concatenate([scaled, -scaled @ self.mean[:, None]], axis=1)


def episode(simulator, act: Act, seed: int, horizon: int) -> tuple[float, np.ndarray]:
    """Return the return and the observations ``(T, S)`` of one episode."""
    state, seen, total = simulator.reset([seed])[0], [], 0.0
    for number in range(horizon):
        seen.append(state)
        step = simulator.step(LIVE, act(state, number)[None])
        state, total = step.observations[0], total + float(step.rewards[0])
        if step.terminated[0]:
            break
    return total, np.array(seen)


def plain(policy: np.ndarray) -> Act:
    """Return how a policy ``(A, S + 1)`` acts without noise."""
    return lambda state, _: np.clip(policy[:, :-1] @ state + policy[:, -1], -1, 1)


def search(name: str, seed: int) -> list[tuple[float, np.ndarray]]:
    """Return (mean return, policy) after some of the rounds, in order."""
    plan, task = SEARCHES[name], get_task(f"{name}-medium-v2")
    simulator, rng = make_simulator(task), np.random.default_rng(seed)
    states, actions = task.sizes
    weights, white, found = np.zeros((actions, states)), Whitening(states), []
    for number in range(plan.rounds + 1):
        if number % max(1, plan.rounds // 100) == 0:
            policy = white.affine(weights).astype(np.float32)
            returns = [
                episode(simulator, plain(policy), 10**6 + i, task.horizon)[0]
                for i in range(EPISODES)
            ]
            found.append((float(np.mean(returns)), policy))
            print(f"{name} {number} {np.mean(returns):.0f} ± {np.std(returns):.0f} "
                  f"{time.process_time():.0f} CPU s", flush=True)  # fmt: skip
        scores, moves = [], []
        for _ in range(plan.directions):
            move, pair = rng.standard_normal(weights.shape), []
            for sign in (1, -1):
                policy = white.affine(weights + sign * plan.noise * move)
                start = int(rng.integers(2**31))
                total, seen = episode(simulator, plain(policy), start, task.horizon)
                pair.append(total - plan.alive_bonus * len(seen))
                white.add(seen)
            scores.append(pair)
            moves.append(move)
        table = np.array(scores)
        best = np.argsort(-table.max(axis=1))[: plan.top]
        slopes = (table[best, 0] - table[best, 1])[:, None, None]
        weights += plan.step / table[best].std() * (slopes * np.array(moves)[best]).mean(axis=0)
    return found


def ladder(found: list[tuple[float, np.ndarray]]) -> list[tuple[float, np.ndarray]]:
    """Return the policies, in order, whose returns are nearest to even steps up to the best."""
    top = max(range(len(found)), key=lambda i: found[i][0])
    until = found[: top + 1]
    wanted = np.linspace(until[0][0], until[top][0], KEPT)
    chosen = {int(np.argmin([abs(score - goal) for score, _ in until])) for goal in wanted}
    return [until[i] for i in sorted(chosen)]


def shaken(name: str, policy: np.ndarray) -> float:
    """Return the mean return of a policy as the data hold it, bent and with noise."""
    task = get_task(f"{name}-medium-v2")
    simulator, total = make_simulator(task), 0.0
    for number in range(SHAKEN):
        act = behaviour(policy, np.random.default_rng(number), task.horizon)
        total += episode(simulator, act, 10**6 + number, task.horizon)[0]
    return total / SHAKEN


def with_medium(
    name: str, policies: list[np.ndarray], returns: list[float]
) -> tuple[list[np.ndarray], list[float]]:
    """Return the ladder with one more rung, worth a third of the best: between its neighbours."""
    goal = max(returns) / 3
    above = next(i for i, score in enumerate(returns) if score > goal)
    low, high = 0.0, 1.0
    for _ in range(5):
        share = (low + high) / 2
        policy = (1 - share) * policies[above - 1] + share * policies[above]
        score = shaken(name, policy)
        low, high = (share, high) if score < goal else (low, share)
    policies = [*policies[:above], policy, *policies[above:]]
    return policies, [*returns[:above], score, *returns[above:]]


def main() -> None:
    """Search, and write one file per name."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", choices=sorted(SEARCHES))
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    for name in given.names:
        chosen = [policy for _, policy in ladder(search(name, given.seed))]
        policies, returns = with_medium(name, chosen, [shaken(name, one) for one in chosen])
        np.savez_compressed(
            given.output / f"{name}.npz",
            weights=np.stack(policies).astype(np.float32),
            returns=np.array(returns, np.float32),
        )


if __name__ == "__main__":
    main()
