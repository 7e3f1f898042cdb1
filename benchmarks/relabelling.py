"""How long OGBench's rewards take from `qpos`, beside its package on the same rows.

    python benchmarks/relabelling.py [ROWS]

Needs OGBench. By turns, five times, in one process: CPU seconds of the package's
`relabel_dataset`, without its reset of the environment, and of ours; prints the middle ratio.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import gymnasium
import numpy as np
from ogbench.relabel_utils import relabel_dataset

from qipo_ray.evaluation.single_tasks import goal_of

ROWS = 1_000_000
NAMES = ("antmaze-large-singletask-v0", "cube-triple-singletask-v0", "scene-singletask-v0",
         "puzzle-4x4-singletask-v0")  # fmt: skip


def cpu(act: Callable[..., object], *arguments: object) -> float:
    """Return the CPU seconds of a call."""
    began = time.process_time()
    act(*arguments)
    return time.process_time() - began


def main() -> None:
    """Print a line for each domain."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    rng = np.random.default_rng(0)
    for name in NAMES:
        goal, environment = goal_of(name), gymnasium.make(name)
        states = rng.integers(0, 2, (rows, len(goal.buttons)))
        held = {
            "qpos": rng.normal(size=(rows, goal.width)).astype(np.float32),
            "button_states": states,
        }
        buttons = states if len(goal.buttons) else None
        environment.reset()
        environment.reset = lambda **_: None  # the goal is set; only the rows are timed
        pairs = [
            (
                cpu(relabel_dataset, name, environment, held),
                cpu(goal.judge, held["qpos"], buttons),
            )
            for _ in range(5)
        ]
        rewards, masks = goal.judge(held["qpos"], buttons)
        assert (rewards == held["rewards"]).all() and (masks == held["masks"]).all()
        ratio = statistics.median(ours / theirs for theirs, ours in pairs)
        theirs, ours = (statistics.median(side) for side in zip(*pairs, strict=True))
        print(f"{name}: CPU s of the package's {theirs:.3f}, of ours {ours:.3f}: {ratio:.2f} x")


if __name__ == "__main__":
    main()
