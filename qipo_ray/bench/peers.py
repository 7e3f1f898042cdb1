"""What ``qipo-ray bench peers`` trains: one preset on many files, beside what users run instead.

All methods share protocol, seeds and budget. The preset is frozen before its seeds are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from qipo_ray.bench.learning import BenchLimits, BenchTask, Case
from qipo_ray.config import load_config
from qipo_ray.errors import UserError, nearest

PRESET = "auto"
CLONING, BEST_TENTH = "cloning", "cloning of the best tenth"
FORMS: dict[str, tuple[str, ...]] = {
    "": (),
    CLONING: ("policy.method=cloning",),
    BEST_TENTH: ("policy.method=cloning", "behaviour.best_episodes=0.1"),
    "IQL": ("policy.method=iql",),
    "TD3+BC": ("policy.method=td3bc",),
    "FQL": ("policy.method=fql",),
    "best of N": ("policy.method=bestofn",),
    "QGPO": ("policy.method=qgpo",),
}
# QIPO's clone is where it begins; of these methods the clone is the end, or stays, and is longer.
LONGER, ON_A_CLONE = 3, (CLONING, BEST_TENTH, "FQL", "best of N", "QGPO")
CHOICES = {  # by the name that `--methods` takes
    "cloning": CLONING, "best-tenth": BEST_TENTH, "iql": "IQL", "td3bc": "TD3+BC", "fql": "FQL",
    "bestofn": "best of N", "qgpo": "QGPO",
}  # fmt: skip
USUAL = ("cloning", "best-tenth", "iql", "td3bc")
MARGIN = 2.0  # points that QIPO may be below its own clone, and below the best other method
AHEAD = 5.0  # points by which it is to be above all others, on at least half of the files
CPU_S = 120.0
LIMITS = BenchLimits(every_seed=-MARGIN, cpu_s=CPU_S)
FILES = {
    "maze2d-umaze-gen-v0": "maze2d-umaze",
    "hopper-medium-replay-gen-v1": "hopper-medium-replay-v2",
    "halfcheetah-medium-replay-gen-v0": "halfcheetah-medium-replay-v2",
    "halfcheetah-medium-replay-gen-v1": "halfcheetah-medium-replay-v2",
    "hopper-me-real": "hopper-medium-expert-v2",
    "walker2d-me-real": "walker2d-medium-expert-v2",
    "halfcheetah-me-real": "halfcheetah-medium-expert-v2",
    "door-human-dapg": "door-human-v1",
}
PEER_TASKS = (
    *(BenchTask(name, task, f"{name}.hdf5", {}) for name, task in FILES.items()),
    BenchTask("hopper-expert", "hopper-expert", None, {}),  # nearly deterministic
)


def beside(text: str | None) -> tuple[str, ...]:
    """Return the forms of ``cloning,fql``, the usual ones for None; ``UserError`` for no name."""
    names = USUAL if text is None else list(dict.fromkeys(map(str.strip, text.split(","))))
    for name in names:
        if name not in CHOICES:
            raise UserError(
                f"--methods {name!r}{nearest(name, CHOICES)}: there are {', '.join(CHOICES)}"
            )
    return tuple(CHOICES[name] for name in names)


def peer_cases(
    task: BenchTask, seeds: Sequence[int], forms: Sequence[str] = beside(None)
) -> Iterator[Case]:
    """Yield QIPO and what stands beside it on a file, one case a method."""
    own = load_config(PRESET, ())
    for form in ("", *forms):
        changes = list(FORMS[form])
        if form in ON_A_CLONE:
            changes.append(f"behaviour.updates={LONGER * own.behaviour.updates}")
        config = load_config(PRESET, changes)
        limits = BenchLimits() if form else LIMITS
        yield Case(task, form, PRESET, config, tuple(seeds), limits)
