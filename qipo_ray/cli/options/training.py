"""The options of the verbs that train: ``train``, ``sweep``, ``bench learning`` and ``toy``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qipo_ray.cores import usable_cores

CORES = usable_cores()
Jobs = Annotated[int, typer.Option("--jobs", min=1, help="Processes; one per core if not given.")]
Log = Annotated[
    str | None,
    typer.Option("--log", metavar="wandb,mlflow", help="Services beside TensorBoard."),
]
Private = Annotated[
    bool, typer.Option("--private", help="Nobody but you may enter the folder of the results.")
]
PrintJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
PrintMarkdown = Annotated[
    bool, typer.Option("--markdown", help="Print Markdown instead of a table.")
]


def train(
    task: Annotated[
        str | None,
        typer.Option("--task", help="A D4RL task, point, or a file of your own task."),
    ] = None,
    preset: Annotated[
        str,
        typer.Option(
            "--preset",
            help="auto, paper, quickstart, learning-cheetah, learning-hopper, "
            "learning-maze, learning-paper, learning-point, or a YAML file.",
        ),
    ] = "quickstart",
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting: policy.beta=3."),
    ] = None,
    seeds: Annotated[str, typer.Option("--seeds", help="Numbers and ranges: 0,1,2 or 0-4.")] = "0",
    results: Annotated[
        Path,
        typer.Option(
            "--results", envvar="QIPO_RESULTS", help="Where results go: a folder, s3:// or gs://."
        ),
    ] = Path("results"),
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FILE", help="The data, s3:// or minari:ID.")
    ] = None,
    jobs: Jobs = CORES,
    device: Annotated[
        str,
        typer.Option("--device", help="cpu, cuda or cuda:1; only the CPU resumes bit for bit."),
    ] = "cpu",
    log: Log = None,
    private: Private = False,
    json: PrintJson = False,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Only print every setting and where its value comes from; --task is optional.",
        ),
    ] = False,
) -> str:
    """Train behaviour, critic and policy for each seed; score them; print the table.

    The same command again continues where it was stopped, and does nothing where all is done.
    """
    return "qipo_ray.cli.explain:explain" if explain else "qipo_ray.cli.train:train"


def sweep(
    file: Annotated[
        str, typer.Argument(metavar="[FILE]", help="A search file, or the name of one that ships.")
    ] = "quickstart",
    tasks: Annotated[
        list[str] | None,
        typer.Option(
            "--task", help="A task or task file, in place of the file's; may be repeated."
        ),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data",
            metavar="TASK=FILE",
            help="The data of a task: a file, s3:// or minari:ID; may be repeated.",
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change the base: policy.renew_every=500."
        ),
    ] = None,
    space: Annotated[
        list[str] | None,
        typer.Option(
            "--space",
            metavar="KEY=KIND(...)",
            help="Search a key: policy.beta=loguniform(0.1,30); may be repeated.",
        ),
    ] = None,
    trials: Annotated[
        int | None, typer.Option("--trials", min=1, help="For each task, in place of the file's.")
    ] = None,
    objective: Annotated[
        str | None,
        typer.Option(
            "--objective", help="score, or without a simulator: fqe, td_error, behaviour_loss."
        ),
    ] = None,
    report_seeds: Annotated[
        str | None,
        typer.Option(
            "--report-seeds", help="Of the confirm step, in place of the file's: 100-104."
        ),
    ] = None,
    results: Annotated[
        Path,
        typer.Option(
            "--results",
            envvar="QIPO_RESULTS",
            help="The sweep goes to RESULTS/NAME; a folder, s3:// or gs://.",
        ),
    ] = Path("results"),
    executor: Annotated[
        str, typer.Option("--executor", help="ray, or local: this machine, without Ray.")
    ] = "ray",
    address: Annotated[
        str | None,
        typer.Option("--address", help="Of a Ray head; otherwise RAY_ADDRESS, or this machine."),
    ] = None,
    insecure: Annotated[
        bool,
        typer.Option("--insecure-cluster", help="Join a Ray head that asks for no token, too."),
    ] = False,
    at_once: Annotated[
        int | None,
        typer.Option(
            "--at-once", min=1, help="Trials at once; as many as fill all slots if not given."
        ),
    ] = None,
    extend: Annotated[
        bool, typer.Option("--extend", help="Go on with a changed specification.")
    ] = False,
    hours: Annotated[
        float | None,
        typer.Option(
            "--hours",
            min=0,
            help="Wall clock of the whole sweep; that of its confirm step is set aside.",
        ),
    ] = None,
    gpu_hours: Annotated[
        float | None,
        typer.Option(
            "--gpu-hours", min=0, help="The same in hours of all GPUs that its workers hold."
        ),
    ] = None,
    log: Log = None,
    private: Private = False,
    json: PrintJson = False,
    plan: Annotated[
        bool,
        typer.Option("--plan", help="Only say what it would do and cost; nothing is started."),
    ] = False,
) -> str:
    """Search the space of FILE, confirm the best on fresh seeds, and print the leaderboard.

    The same command again continues where it was stopped, whatever stopped it.
    """
    return "qipo_ray.cli.sweep_plan:plan" if plan else "qipo_ray.cli.sweep:sweep"


def schema() -> str:
    """Print the JSON Schema of search files, by which editors complete and check them.

    `qipo-ray schema > schema.json`, and as the first line of a search file beside it:
    `# yaml-language-server: $schema=schema.json`
    """
    return "qipo_ray.cli.schema:schema"


def check_method(
    method: Annotated[
        str,
        typer.Argument(metavar="MODULE:CLASS", help="Its class, or the name of an installed one."),
    ],
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, such as a width."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> str:
    """Try a method of your own on small data: shapes, saved states, packs, acting.

    One line for each rule that it keeps or breaks; exit code 1 if one is broken.
    """
    return "qipo_ray.cli.method_check:check"


def learning(
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="FOLDER", help="The files of hopper and cheetah."),
    ] = None,
    results: Annotated[
        Path, typer.Option("--results", metavar="DIR", help="What is there is not done again.")
    ] = Path("results/bench-learning"),
    tasks: Annotated[
        str | None,
        typer.Option("--tasks", help="Some of point,maze,hopper,cheetah; all if not given."),
    ] = None,
    seeds: Annotated[
        str, typer.Option("--seeds", help="Numbers and ranges: 0,1,2 or 0-4.")
    ] = "100,101,102,103,104",
    paper_form: Annotated[
        bool,
        typer.Option("--paper-form", help="Also train the paper's form, 20 CPU minutes per task."),
    ] = False,
    jobs: Jobs = CORES,
    json: PrintJson = False,
    markdown: PrintMarkdown = False,
) -> str:
    """Train both paths on small tasks within CPU budgets, and compare with cloning.

    The same command continues after an interruption. Exit code 1 if a number is not reached.
    """
    return "qipo_ray.cli.bench:learning"


def peers(
    data: Annotated[Path, typer.Option("--data", metavar="FOLDER", help="Where the files are.")],
    results: Annotated[
        Path, typer.Option("--results", metavar="DIR", help="What is there is not done again.")
    ] = Path("results/bench-peers"),
    files: Annotated[
        str | None,
        typer.Option("--files", help="Some of them, as a,b without .hdf5; all if not given."),
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option(
            "--methods",
            help="Beside QIPO: some of cloning, best-tenth, iql, td3bc (these four if not given), "
            "fql, bestofn, qgpo.",
        ),
    ] = None,
    seeds: Annotated[
        str, typer.Option("--seeds", help="Numbers and ranges: 0,1,2 or 0-4.")
    ] = "200,201,202,203,204",
    jobs: Jobs = CORES,
    json: PrintJson = False,
    markdown: PrintMarkdown = False,
) -> str:
    """Train the preset auto on many files, beside cloning of all and of the best episodes.

    The same command continues after an interruption. Exit code 1 if a number is not reached.
    """
    return "qipo_ray.cli.bench:peers"


def toy(
    experiment: Annotated[
        str,
        typer.Argument(
            metavar="EXPERIMENT",
            help="densities: six 2-D distributions against their exact tilt. tilt: trained fields "
            "against the closed form. rounds: what repeated improvement adds up to. dimension: "
            "how errors grow with the dimension. accuracy: solvers' errors by evaluations.",
        ),
    ] = "densities",
    seeds: Annotated[int, typer.Option("--seeds", min=1, max=100, help="Training seeds.")] = 1,
    quick: Annotated[bool, typer.Option("--quick", help="A small version, one minute.")] = False,
    results: Annotated[
        Path, typer.Option("--results", metavar="DIR", help="What is there is not done again.")
    ] = Path("results/toy"),
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Processes; all cores if not given.")
    ] = None,
    json: PrintJson = False,
) -> str:
    """Show that energy weighting reaches its target, with numbers, tables and a picture.

    The same command continues after an interruption. Exit code 1 if a number misses its limit
    (never with --quick, which is too short to reach them).
    """
    return "qipo_ray.cli.toy:toy"
