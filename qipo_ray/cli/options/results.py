"""The options of the verbs that read what was trained: scores, files, checks, tables, pages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

BestTask = Annotated[str | None, typer.Option("--task", help="With --best: of this task.")]
ActingTask = Annotated[
    str | None,
    typer.Option("--task", help="With --best: of this task. Or the file of your own task."),
]
BestMethod = Annotated[
    str | None, typer.Option("--method", help="With --best: of this method, such as QIPO-OT.")
]
Best = Annotated[
    bool,
    typer.Option(
        "--best", help="Of a results folder: the best reported run of the best configuration."
    ),
]


def evaluate(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="A results folder, or one record's file.")
    ],
    best: Best = False,
    task: ActingTask = None,
    method: BestMethod = None,
    record: Annotated[
        str | None, typer.Option("--record", metavar="ID", help="Only this run of the folder.")
    ] = None,
    episodes: Annotated[
        int | None, typer.Option("--episodes", min=1, help="Per run; as recorded if not given.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            min=0,
            help="The first of --episodes environment seeds in a row, and the seed of the noise "
            "of actions; as recorded if not given.",
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="sampler.solver, sampler.evaluations, sampler.clip, sampler.noise, "
            "sampler.best_of, sampler.one_step or evaluation.weights.",
        ),
    ] = None,
    video: Annotated[
        Path | None,
        typer.Option("--video", metavar="GIF", help="Draw the first episode of a single run."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> str:
    """Roll out the last policy of each finished run again; records stay as they are.

    With no option the scores equal the recorded ones. Seeds whose distance is less than --episodes
    share environments.
    """
    return "qipo_ray.cli.evaluate:evaluate"


def export(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN", help="A record file, or a results folder with one finished run."
        ),
    ],
    output: Annotated[Path, typer.Argument(metavar="FILE", help="policy.pt2 or policy.onnx.")],
    best: Best = False,
    task: BestTask = None,
    method: BestMethod = None,
) -> str:
    """Write the last policy of a run for torch.export (.pt2) or ONNX (.onnx; extra 'onnx').

    Inputs: raw observations (B, S) and noise (B, A) from N(0, I); output: actions (B, A).
    Normalisation, solver and clipping are inside. The file is loaded back and run against the
    original first; it is written only if no action differs by more than 1e-4.
    """
    return "qipo_ray.cli.export:export"


def reproduce(
    record: Annotated[
        Path, typer.Argument(metavar="RECORD", help="A file <results>/records/<id>.json.")
    ],
    best: Best = False,
    task: ActingTask = None,
    method: BestMethod = None,
    run: Annotated[bool, typer.Option("--run", help="Run it and compare the numbers.")] = False,
    results: Annotated[
        Path | None,
        typer.Option(
            "--results", metavar="DIR", help="An empty folder; reproduced/<id> if not given."
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FILE", help="The data, in D4RL's layout.")
    ] = None,
    device: Annotated[
        str | None,
        typer.Option("--device", help="cpu, cuda or cuda:1; the record's if not given."),
    ] = None,
) -> str:
    """Print the command that gives the same number; say on stderr what differs here.

    With --run it is trained again, in an empty folder. Exit code 0 if all scores,
    those of cloning too, are equal to the last bit. Where packages, machine, device, threads or
    the jobs beside it differ: if the last mean returns differ by at most 1.96 standard errors of
    their difference. Exit code 1 if not, or if they could not be compared.
    """
    return "qipo_ray.cli.reproduce:reproduce"


def verify(
    sweep: Annotated[Path, typer.Argument(metavar="SWEEP", help="The folder of a sweep.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> str:
    """Hash every artefact, compare every record with what made it, and rebuild the tables.

    Nothing is changed. One line for each thing that is wrong, and then exit code 1. While a sweep
    runs, only what has ended is checked.
    """
    return "qipo_ray.cli.verify:verify"


def trials(
    sweep: Annotated[Path, typer.Argument(metavar="SWEEP", help="Its folder, as results/NAME.")],
    task: Annotated[str | None, typer.Option("--task", help="Only those of this task.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> str:
    """List the trials of a search as they stand now, also while it runs.

    Each has its settings, the rungs that it reached, its score there, and why it was stopped.
    """
    return "qipo_ray.cli.trials:trials"


def status(
    sweep: Annotated[Path, typer.Argument(metavar="SWEEP", help="Its folder, as results/NAME.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> str:
    """Say how a sweep stands: who drives it, trials by state, its best so far, jobs, ETA.

    From any shell that sees the folder, while it runs or not.
    """
    return "qipo_ray.cli.status:status"


def stop(
    sweep: Annotated[Path, typer.Argument(metavar="SWEEP", help="Its folder, as results/NAME.")],
) -> str:
    """Stop a sweep that runs, from any shell that sees its folder.

    It saves its jobs first. The same `sweep` command goes on where it stopped.
    """
    return "qipo_ray.cli.status:stop"


def explain(
    sweep: Annotated[Path, typer.Argument(metavar="SWEEP", help="Its folder, as results/NAME.")],
    trial: Annotated[
        str, typer.Argument(metavar="TRIAL", help="Its id, or how that begins; see `trials`.")
    ],
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> str:
    """Explain why a trial was stopped, or went on: at each rung its score, and against whom.

    What settings mean, and where their values come from: `train --explain`.
    """
    return "qipo_ray.cli.status:explain"


def best(
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="A results folder.")],
    task: BestTask = None,
    method: BestMethod = None,
) -> str:
    """Print the best configuration of a results folder as a file for `train --preset`.

    It is the one with the highest mean score over the training seeds of its reported runs. A sweep
    writes that of each task and method to leaderboard/best/.
    """
    return "qipo_ray.cli.best:best"


def leaderboard(
    results: Annotated[
        list[Path],
        typer.Argument(metavar="RESULTS...", help="Results folders, and all inside them."),
    ],
    by: Annotated[
        Literal["task", "family", "config", "paper"] | None,
        typer.Option(
            help="A line per task and method, per family, or per configuration; paper: a line per "
            "task and a column per method, the form of LaTeX if nothing is chosen."
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            "--columns", metavar="A,B", help="Only these, in this order: task,method,last."
        ),
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option("--format", metavar="md,csv,html,latex,json,hf", help="One or several."),
    ] = None,
    literature: Annotated[
        bool, typer.Option("--literature", help="Published scores too, in their own table.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help="Write leaderboard.md and so on there."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> str:
    """Show scores with their intervals, the protocol and the data source of every number.

    Without --output one format is printed, and without --format a table. With --output every
    format is written, or those of --format; hf is a folder in the shape of Hugging Face's results.
    """
    return "qipo_ray.cli.leaderboard:leaderboard"


def report(
    sweep: Annotated[Path, typer.Argument(metavar="SWEEP", help="The folder of a sweep.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", metavar="FILE", help="SWEEP/leaderboard/report.html if not given."
        ),
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option("--figures", metavar="DIR", help="Write the pictures there, SVG and PNG."),
    ] = None,
    literature: Annotated[
        bool, typer.Option("--literature", help="Published scores too, in their own table.")
    ] = False,
) -> str:
    """Write tables, pictures, best configurations, cost, warnings and protocol into one file.

    It needs no network: open it from the disk, or send it to somebody.
    """
    return "qipo_ray.cli.report:report"
