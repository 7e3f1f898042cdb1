"""What a policy update of the paper's form costs, and what is saved where it changes nothing.

    python benchmarks/policy_update.py [--actions 64] [--rounds 5] [--json FILE]

CPU seconds of one thread at D4RL's sizes (17 and 6 dimensions, 256 states, the paper's network),
by turns in one process: updates through all support actions, and as they are, which skip actions
whose weight single precision does not hold; for several spreads of beta Q over a state's actions.
Then support actions of states that are repeated, and of states that are not. Prints the middle of
the ratios, and the rate of the update's matrix products beside the machine's own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from random_transitions import ACTIONS, random_tensors

from qipo_ray.agent import Member, PolicyPack, pack_of, policy
from qipo_ray.agent.pack import stream
from qipo_ray.config import load_config
from qipo_ray.flow import effective_sample_size, support_weights

ROWS = 20_000
SPREADS = (1.0, 3.0, 10.0, 30.0)  # standard deviations of beta Q over a state's actions
Rounds = dict[str, list[float]]


def paper_pack(actions: int) -> PolicyPack:
    """Return a fresh policy of the paper's form, with a small pool of states."""
    config = load_config("paper", [f"policy.support_size={actions}", "policy.pool=256"])
    data, upstream = random_tensors(ROWS), {}
    for stage in ("behaviour", "critic"):
        earlier = pack_of(stage, config, data)
        earlier.admit(Member(config, 0), dict(upstream), None)
        upstream[stage] = earlier.state(0)
    pack = pack_of("policy", config, data)
    pack.admit(Member(config, 0), upstream, None)
    assert isinstance(pack, PolicyPack)
    pack.update()
    return pack


def cpu(act: Callable[[], object]) -> float:
    """Return the CPU seconds of a call."""
    began = time.process_time()
    act()
    return time.process_time() - began


def in_turns(sides: dict[str, Callable[[], object]], rounds: int) -> Rounds:
    """Return the CPU seconds of each side, in rounds of changing order; the first is not kept."""
    seconds: Rounds = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name in list(sides)[:: 1 if number % 2 else -1]:
            took = cpu(sides[name])
            if number:
                seconds[name].append(took)
    return seconds


def ratio(seconds: Rounds) -> str:
    """Return the middle ratio of the first side to the second, with the least and the most."""
    first, second = seconds.values()
    each = sorted(a / b for a, b in zip(first, second, strict=True))
    times = " / ".join(f"{1000 * statistics.median(side):.0f}" for side in (first, second))
    return f"{times} ms: {statistics.median(each):.2f} [{each[0]:.2f} to {each[-1]:.2f}]"


def update(pack: PolicyPack, least: float) -> Callable[[], None]:
    """Return an update that skips actions of a weight up to ``least``."""

    def act() -> None:
        policy.NEGLIGIBLE = least
        pack.update()

    return act


def support(pack: PolicyPack, *, repeated: bool) -> Callable[[], object]:
    """Return a draw of 64 actions at each of 64 states."""
    states = pack.data.states[:64].unsqueeze(0)
    if repeated:
        states = states.repeat_interleave(64, 1)
    noise = torch.randn(1, 64 * 64, ACTIONS)
    return lambda: pack.sampler(pack.ema.params, states, noise)


def matrix_rate() -> float:
    """Return billions of operations a second in products of 512 x 512 matrices."""
    a, out = torch.randn(512, 512), torch.empty(512, 512)
    return 20 * 2 * 512**3 / cpu(lambda: [torch.mm(a, a, out=out) for _ in range(20)]) / 1e9


def main() -> None:
    """Measure, print a line for each, and write the rounds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--actions", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    pack, raw = paper_pack(chosen.actions), {}
    products = 6 * sum(weights.numel() for weights in pack.online.params.values())
    work = products * 256 * (chosen.actions + 1) / 1e9
    least, present = policy.NEGLIGIBLE, pack.support[0]
    assert present is not None
    for spread in SPREADS:
        values = spread * torch.randn(1, *present.weights.shape, generator=stream(0, "values"))
        weights = support_weights(values, torch.ones(1, 1))[0]
        pack.support[0] = replace(present, weights=weights)
        sides = {"all actions": update(pack, -1.0), "as it is": update(pack, least)}
        raw[f"update, spread {spread}"] = seconds = in_turns(sides, chosen.rounds)
        rate = work / statistics.median(seconds["all actions"])
        size, counting = float(effective_sample_size(weights).mean()), (weights > least).float()
        print(
            f"spread {spread:4}: effective size {size:.1f} of {weights.shape[1]}, "
            f"{float(counting.mean()):.0%} count; {ratio(seconds)}; all at {rate:.0f} Gflop/s, "
            f"products alone {matrix_rate():.0f}",
            flush=True,
        )
    sides = {
        "repeated": support(pack, repeated=True),
        "each state once": support(pack, repeated=False),
    }
    raw["support actions"] = seconds = in_turns(sides, chosen.rounds)
    print(f"4,096 support actions: {ratio(seconds)}")
    if chosen.json:
        chosen.json.write_text(json.dumps(raw, indent=1) + "\n")


if __name__ == "__main__":
    main()
