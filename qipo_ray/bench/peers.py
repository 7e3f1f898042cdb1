"""What ``qipo-ray bench peers`` trains: one preset on many files, beside plain cloning.

All methods share protocol, seeds and budget. The preset is frozen before its seeds are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from qipo_ray.bench.learning import BenchLimits, BenchTask, Case
from qipo_ray.config import load_config

PRESET = "auto"
CLONING, BEST_TENTH = "cloning", "cloning of the best tenth"
# Nothing after cloning: the policy stays the clone, and the critic that nobody asks costs nothing.
NO_POLICY = (
    "critic.updates=1", "policy.evidence=10", "policy.rounds=1", "policy.renew_every=1",
)  # fmt: skip
METHODS: dict[str, tuple[str, ...]] = {
    "": (),
    CLONING: ("behaviour.best_episodes=1", *NO_POLICY),
    BEST_TENTH: ("behaviour.best_episodes=0.1", *NO_POLICY),
}
MARGIN = 2.0  # points that QIPO may be below its own clone, and below the best other method
CPU_S = 120.0
LIMITS = BenchLimits(every_seed=-MARGIN, cpu_s=CPU_S)
PEER_TASKS = tuple(
    BenchTask(name, task, f"{name}.hdf5", {})
    for name, task in (
        ("maze2d-umaze-gen-v0", "maze2d-umaze"),
        ("hopper-medium-replay-gen-v1", "hopper-medium-replay-v2"),
        ("halfcheetah-medium-replay-gen-v0", "halfcheetah-medium-replay-v2"),
        ("halfcheetah-medium-replay-gen-v1", "halfcheetah-medium-replay-v2"),
        ("hopper-me-real", "hopper-medium-expert-v2"),
        ("walker2d-me-real", "walker2d-medium-expert-v2"),
        ("halfcheetah-me-real", "halfcheetah-medium-expert-v2"),
    )
)


def peer_cases(task: BenchTask, seeds: Sequence[int]) -> Iterator[Case]:
    """Yield QIPO and what stands beside it on a file, one case a method."""
    for form, changes in METHODS.items():
        config = load_config(PRESET, changes)
        limits = BenchLimits() if form else LIMITS
        yield Case(task, form, PRESET, config, tuple(seeds), limits)
