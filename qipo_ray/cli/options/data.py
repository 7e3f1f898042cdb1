"""The options of the verbs of ``qipo-ray data``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Tasks = Annotated[
    list[str], typer.Argument(metavar="TASK...", help="D4RL ids, or patterns like 'hopper-*-v2'.")
]

Source = Annotated[
    str,
    typer.Argument(
        metavar="FILE|TASK", help="A data file, minari:ID, a Minari set's folder, or a task's own."
    ),
]
TaskOfFile = Annotated[
    str | None,
    typer.Option("--task", help="The task of FILE, if its name does not say it; or a task file."),
]


def get(
    tasks: Tasks,
    trust: Annotated[
        bool,
        typer.Option("--trust", help="Use a file that has no published SHA-256."),
    ] = False,
    max_mb: Annotated[
        int, typer.Option("--max-mb", min=1, help="Limit for a file of unknown size.")
    ] = 4000,
    max_minutes: Annotated[
        float, typer.Option("--max-minutes", min=0.01, help="Limit for one file.")
    ] = 60.0,
) -> str:
    """Download D4RL's files into its cache and verify them; go on where a download stopped.

    They come straight from D4RL's host. Proxies are not used: behind one, see `data plan`.
    """
    return "qipo_ray.cli.data_get:get"


def plan(
    tasks: Tasks,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> str:
    """Show what `data get` would download and where to put it, to fetch it by other means."""
    return "qipo_ray.cli.data_get:plan"


def list_tasks(
    family: Annotated[
        str | None, typer.Option("--family", help="Only this family, such as locomotion.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the page docs/tasks.md, of all tasks.")
    ] = False,
) -> str:
    """List the tasks with their reference scores, and which data are on this machine."""
    return "qipo_ray.cli.data_list:list_tasks"


def show(
    source: Source,
    task: TaskOfFile = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", metavar="SVG", help="Also draw the histogram.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> str:
    """Show what a data file holds: rows, episodes, returns and their histogram, source."""
    return "qipo_ray.cli.data_show:show"


def verify(
    source: Source,
    task: TaskOfFile = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> str:
    """Check a data file: hash, contents, actions, episode ends, and a replay in the simulator.

    The simulator is set to recorded states and given the recorded actions; rows that it does not
    reach were recorded in another one. One line for each check, exit code 1 if one is WRONG.
    """
    return "qipo_ray.cli.data_verify:verify"


OwnTask = Annotated[str, typer.Argument(metavar="TASKFILE", help="A file such as my_task.yaml.")]
OwnData = Annotated[
    Path | None,
    typer.Option("--data", metavar="FILE", help="Data, in place of the file's `data:`."),
]


def check(
    task: OwnTask,
    data: OwnData = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> str:
    """Check your own task: its data, its environment, and that they fit each other.

    Sizes, bounds, the longest episode, equal starts, a random episode, and a replay where the
    environment has set_observation(). One line for each check, exit code 1 if one is WRONG.
    """
    return "qipo_ray.cli.own_tasks:check"


def references(
    task: OwnTask,
    data: OwnData = None,
    episodes: Annotated[
        int, typer.Option("--episodes", min=1, help="Random episodes, on fixed seeds.")
    ] = 20,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> str:
    """Measure the reference returns of your own task, as lines to paste into its file.

    The lower one is the mean return of a random policy, the upper one that of the best episode in
    the data. They score 0 and 100.
    """
    return "qipo_ray.cli.own_tasks:references"


def make(
    task: Annotated[str, typer.Argument(metavar="TASK", help="A generated task, such as point.")],
    rows: Annotated[int | None, typer.Option("--rows", min=1, help="How many rows.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="0 if not given.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="A file, not the data cache.")
    ] = None,
) -> str:
    """Generate a task's data, the same bytes for the same seed."""
    return "qipo_ray.cli.data_make:make"


def import_(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="minari:ID or a Minari set's folder, a LeRobot set's folder, a folder of "
            "episodes (.npz or .parquet), or one such file, OGBench's too.",
        ),
    ],
    to: Annotated[Path, typer.Option("--to", metavar="FILE.hdf5", help="The new file.")],
    task: Annotated[
        str | None, typer.Option("--task", help="Check the file against this task first.")
    ] = None,
    parts: Annotated[
        str | None,
        typer.Option(
            "--parts",
            metavar="NAMES",
            help="The observations to take from a Minari set's dictionary, in this order.",
        ),
    ] = None,
    rewards: Annotated[
        str | None,
        typer.Option(
            "--rewards",
            metavar="ENVIRONMENT",
            help="For OGBench's files: the single task whose rewards to take, such as "
            "cube-single-singletask-v0.",
        ),
    ] = None,
) -> str:
    """Write data of another format into one file of D4RL's layout, once.

    The file says where it came from. Its next observations are exact, ends are terminals or
    timeouts. Nothing is left behind where the source cannot be used.
    """
    return "qipo_ray.cli.data_import:import_"
