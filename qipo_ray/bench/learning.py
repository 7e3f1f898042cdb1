"""What ``qipo-ray bench learning`` trains, and the numbers to reach.

Settings are presets of the package, frozen before the numbers were measured. Scores are of the
last policy minus the cloning of the same run, in normalised points, on report seeds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from qipo_ray.config import Config, load_config, method_title
from qipo_ray.data.load import load
from qipo_ray.data.transitions import Dataset
from qipo_ray.errors import UserError, nearest
from qipo_ray.evaluation.generate import generate

PATHS = ("ot", "vp")
PAPER_SEEDS = (100,)
PAPER_PATHS = ("ot",)
PAPER_PRESET, PAPER_FORM = "learning-paper", "paper's form"
CONTROL = "beta = 0"
NO_BETA = ("policy.beta=0", "policy.target_ess=0")  # even weights: improvement without Q


@dataclass(frozen=True)
class BenchLimits:
    """The numbers to reach, of the gain over cloning unless said otherwise; None: no limit."""

    every_seed: float | None = None  # at least, on every seed
    mean: float | None = None  # at least
    within: float | None = None  # each seed at most this far from cloning
    cpu_s: float | None = None  # at most, CPU seconds of training of every run
    warned: bool = False  # the critic report warns, on every seed


@dataclass(frozen=True)
class BenchTask:
    """A task of the benchmark: its data, its preset, and its limits by path."""

    name: str  # on the command line
    task: str
    file: str | None  # in the folder of data; None: generated beside the results
    limits: Mapping[str, BenchLimits]
    control: float | None = None  # how far beta = 0 may be from cloning; None: not run

    @property
    def preset(self) -> str:
        """The name of its settings."""
        return f"learning-{self.name}"

    def dataset(self, folder: Path | None, root: Path, progress: Callable[..., None]) -> Dataset:
        """Return its data, from ``folder`` or generated under ``root`` if they are not there yet.

        ``UserError`` if they come from a folder, and none is given or it lacks the file.
        """
        if self.file is not None:
            if folder is None:
                raise UserError(f"--data: {self.name} needs the folder with {self.file}")
            return load(self.task, folder / self.file)
        path = root / "data" / f"{self.task}.hdf5"
        if not path.exists():
            generate(self.task, path, progress=progress)
        return load(self.task, path)


TASKS = (
    BenchTask(
        "point",
        "point",
        None,
        {path: BenchLimits(every_seed=40, cpu_s=30) for path in PATHS},
        control=12,
    ),
    BenchTask(
        "maze",
        "maze2d-umaze",
        None,
        {"ot": BenchLimits(mean=20, cpu_s=60), "vp": BenchLimits(mean=15, cpu_s=60)},
    ),
    BenchTask(
        "hopper",
        "hopper-medium-replay",
        "hopper-medium-replay-gen-v1.hdf5",
        {path: BenchLimits(mean=10, every_seed=-3, cpu_s=120) for path in PATHS},
    ),
    BenchTask(
        "cheetah",
        "halfcheetah-medium-replay",
        "halfcheetah-medium-replay-gen-v0.hdf5",
        {path: BenchLimits(mean=-2, warned=True) for path in PATHS},
    ),
)


@dataclass(frozen=True)
class Case:
    """One configuration on one task, over some seeds: a line of the table."""

    task: BenchTask
    form: str  # "": as the benchmark's preset; else what is other
    preset: str
    config: Config
    seeds: tuple[int, ...]
    limits: BenchLimits

    @property
    def method(self) -> str:
        """Its name in the table."""
        name = method_title(self.config)
        return f"{name}, {self.form}" if self.form else name

    @property
    def name(self) -> str:
        """The name that its records carry."""
        if self.form in ("", PAPER_FORM):
            return self.preset
        return f"{self.preset}-{re.sub('[^a-z0-9]+', '-', self.form.lower())}"


def chosen(
    text: str | None, tasks: Sequence[BenchTask] = TASKS, option: str = "--tasks"
) -> tuple[BenchTask, ...]:
    """Return the tasks of ``point,maze``, all for None; ``UserError`` for an unknown one."""
    if text is None:
        return tuple(tasks)
    choices = {task.name: task for task in tasks}
    names = list(dict.fromkeys(part.strip() for part in text.split(",")))
    for name in names:
        if name not in choices:
            raise UserError(
                f"{option} {name!r}{nearest(name, choices)}: there are {', '.join(choices)}"
            )
    return tuple(choices[name] for name in names)


def cases(task: BenchTask, seeds: Sequence[int], paper_form: bool) -> Iterator[Case]:
    """Yield what is trained on a task: both paths, their controls, and the paper's form."""
    for path in PATHS:
        config = load_config(task.preset, [f"behaviour.path={path}"])
        yield Case(task, "", task.preset, config, tuple(seeds), task.limits[path])
        if task.control is not None:
            even = load_config(task.preset, [f"behaviour.path={path}", *NO_BETA])
            limits = BenchLimits(within=task.control)
            yield Case(task, CONTROL, task.preset, even, tuple(seeds), limits)
    for path in PAPER_PATHS if paper_form else ():
        config = load_config(PAPER_PRESET, [f"behaviour.path={path}"])
        yield Case(task, PAPER_FORM, PAPER_PRESET, config, PAPER_SEEDS, BenchLimits())
