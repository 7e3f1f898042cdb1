"""Find the linear policies that make the generated locomotion data, by augmented random search.

    python scripts/find_policies.py hopper --output qipo_ray/evaluation/policies

Version 2-t of Mania et al. (2018): random directions in pairs, the best of them kept, steps scaled
by the spread of their returns, observations whitened as they come. Without the alive bonus, which
would teach standing still. Equal arguments give equal numbers, with the same MuJoCo.

A file holds ``weights (K, A, S + 1)``, the last column the bias, and ``returns (K,)``, means of
episodes as the data hold them: policies from no skill to the medium one, in the order in which the
search went through them; the medium one, worth a third of the best; the best.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qipo_ray.data.tasks import get_task
from qipo_ray.evaluation.linear import BENT, EXPERT_BENT, Act, behaviour
from qipo_ray.evaluation.registry import make_env

LOOKS = 70  # at least so many of the search's policies are measured, where it has as many rounds
EPISODES = 20  # that measure one of them
RUNGS = 12  # of them that are measured again, with the data's noise
ROWS = 100_000  # that this takes; fewer leave the best one overrated, by chance
MIXES = 10  # policies tried between two rungs, for a third of the best
WAY = 7  # policies in a file before the medium one
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
    "walker2d": Search(216, 16, 8, 0.03, 0.025, 1.0),
    "halfcheetah": Search(60, 16, 8, 0.02, 0.03, 0.0),
}


class Whitening:
    """Running mean and standard deviation of every observation seen."""

    def __init__(self, size: int) -> None:
        self.count, self.mean, self.squares = 1.0, np.zeros(size), np.ones(size)

    def add(self, observations: np.ndarray) -> None:
        """Take observations ``(T, S)`` in."""
        total = self.count + len(observations)
        shift = observations.mean(axis=0) - self.mean
        self.mean = self.mean + shift * len(observations) / total
        self.squares = self.squares + observations.var(axis=0) * len(observations)
        self.squares += shift**2 * self.count * len(observations) / total
        self.count = total

    def affine(self, weights: np.ndarray) -> np.ndarray:
        """Return whitened weights ``(A, S)`` as ``(A, S + 1)`` for raw observations."""
        scaled = weights / np.sqrt(self.squares / self.count + 1e-8)
        return np.concatenate([scaled, -scaled @ self.mean[:, None]], axis=1)


def episode(envs, act: Act, seed: int, horizon: int) -> tuple[float, np.ndarray]:
    """Return the return and the observations ``(T, S)`` of one episode."""
    state, observations, total = envs.reset([seed])[0], [], 0.0
    for number in range(horizon):
        observations.append(state)
        step = envs.step(LIVE, act(state, number)[None])
        state, total = step.observations[0], total + float(step.rewards[0])
        if step.terminated[0]:
            break
    return total, np.array(observations)


def plain(policy: np.ndarray) -> Act:
    """Return how a policy ``(A, S + 1)`` acts without noise."""
    return lambda state, _: np.clip(policy[:, :-1] @ state + policy[:, -1], -1, 1)


def search(name: str, seed: int) -> list[tuple[float, np.ndarray]]:
    """Return (mean return, policy) after some of the rounds, in order."""
    plan, task = SEARCHES[name], get_task(f"{name}-medium-v2")
    envs, rng = make_env(task), np.random.default_rng(seed)
    states, actions = task.sizes
    weights, white, candidates = np.zeros((actions, states)), Whitening(states), []
    for number in range(plan.rounds + 1):
        if number % max(1, plan.rounds // LOOKS) == 0:
            policy = white.affine(weights).astype(np.float32)
            returns = [
                episode(envs, plain(policy), 10**6 + i, task.horizon)[0] for i in range(EPISODES)
            ]
            candidates.append((float(np.mean(returns)), policy))
            print(f"{name} {number} {np.mean(returns):.0f} ± {np.std(returns):.0f} "
                  f"{time.process_time():.0f} CPU s", flush=True)  # fmt: skip
        scores, moves = [], []
        for _ in range(plan.directions):
            move, pair = rng.standard_normal(weights.shape), []
            for sign in (1, -1):
                policy = white.affine(weights + sign * plan.noise * move)
                start = int(rng.integers(2**31))
                total, observations = episode(envs, plain(policy), start, task.horizon)
                pair.append(total - plan.alive_bonus * len(observations))
                white.add(observations)
            scores.append(pair)
            moves.append(move)
        table = np.array(scores)
        best = np.argsort(-table.max(axis=1))[: plan.top]
        slopes = (table[best, 0] - table[best, 1])[:, None, None]
        weights += plan.step / table[best].std() * (slopes * np.array(moves)[best]).mean(axis=0)
    return candidates


def rungs(candidates: list[tuple[float, np.ndarray]]) -> list[int]:
    """Return which policies, in order, have returns nearest to even steps up to the best."""
    scores = np.array([score for score, _ in candidates])
    until = scores[: scores.argmax() + 1]
    goals = np.linspace(until[0], until[-1], RUNGS)
    return sorted({int(np.abs(until - goal).argmin()) for goal in goals})


def shaken(name: str, policy: np.ndarray, bent: float) -> float:
    """Return the mean return of a policy as the data hold it, bent and with noise."""
    task = get_task(f"{name}-medium-v2")
    envs, returns, rows = make_env(task), [], 0
    while rows < ROWS:
        number = len(returns)
        act = behaviour(policy, bent, np.random.default_rng(number), task.horizon)
        total, observations = episode(envs, act, 10**6 + number, task.horizon)
        returns.append(total)
        rows += len(observations)
    return float(np.mean(returns))


def medium(
    name: str, policies: list[np.ndarray], steps: list[int], goal: float
) -> tuple[int, np.ndarray]:
    """Return the last of ``steps`` worth less than ``goal``, and a policy worth it.

    That is the nearest of mixtures with the next step, which is worth more.
    """
    above = next(i for i in steps[1:] if shaken(name, policies[i], BENT) > goal)
    below = steps[steps.index(above) - 1]
    shares = np.linspace(0, 1, MIXES + 1)[1:]
    mixes = [(1 - share) * policies[below] + share * policies[above] for share in shares]
    return below, min(mixes, key=lambda policy: abs(shaken(name, policy, BENT) - goal))


def chosen(
    name: str, candidates: list[tuple[float, np.ndarray]]
) -> tuple[list[np.ndarray], list[float]]:
    """Return the policies of a file, and their returns."""
    policies, steps = [policy for _, policy in candidates], rungs(candidates)
    able = steps[len(steps) // 2 :]
    returns = [shaken(name, policies[i], EXPERT_BENT) for i in able]
    below, third = medium(name, policies, steps, max(returns) / 3)
    way = sorted({round(i) for i in np.linspace(0, below, WAY)})
    kept = [*(policies[i] for i in way), third]
    worth = [shaken(name, policy, BENT) for policy in kept]
    return [*kept, policies[able[int(np.argmax(returns))]]], [*worth, max(returns)]


def main() -> None:
    """Search, and write one file per name."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", choices=sorted(SEARCHES))
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name in arguments.names:
        policies, returns = chosen(name, search(name, arguments.seed))
        np.savez_compressed(
            arguments.output / f"{name}.npz",
            weights=np.stack(policies).astype(np.float32),
            returns=np.array(returns, np.float32),
        )


if __name__ == "__main__":
    main()
