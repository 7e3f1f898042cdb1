"""The options of the verbs for clusters: ``submit``, ``job`` and ``doctor``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Address = Annotated[
    str | None,
    typer.Option(
        "--address", envvar="RAY_API_SERVER_ADDRESS", help="Of the dashboard: http://HEAD:8265."
    ),
]
Insecure = Annotated[
    bool, typer.Option("--insecure-cluster", help="Use a Ray head that asks for no token, too.")
]
JOB_HELP = "Its id, as `qipo-ray job status` has it."
Job = Annotated[str, typer.Argument(metavar="JOB", help=JOB_HELP)]


def submit(
    line: Annotated[
        list[str], typer.Argument(metavar="FILE", help="A search file, and options of the sweep.")
    ],
    address: Address = None,
    folder: Annotated[
        Path, typer.Option("--working-dir", help="The folder that is packed and sent.")
    ] = Path("."),
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Follow the log until the sweep has ended.")
    ] = True,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Look at every machine before.")
    ] = True,
    insecure: Insecure = False,
) -> str:
    """Start `qipo-ray sweep` as a job of a Ray cluster, from outside of it.

    Every option of the sweep may be given, such as --trials 8; --results must be a folder that all
    machines of the cluster see. First the cluster is looked at: token, versions, resources,
    results and data. The same command again continues the sweep.
    """
    return "qipo_ray.cli.submit:submit"


def status(
    job: Annotated[
        str | None, typer.Argument(metavar="[JOB]", help="Its id; all jobs if not given.")
    ] = None,
    address: Address = None,
    insecure: Insecure = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> str:
    """Print the jobs of a cluster with their sweeps, the latest first."""
    return "qipo_ray.cli.job:status"


def logs(
    job: Job,
    address: Address = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Until the job ends.")] = False,
    insecure: Insecure = False,
) -> str:
    """Print what a job has printed."""
    return "qipo_ray.cli.job:logs"


def stop(job: Job, address: Address = None, insecure: Insecure = False) -> str:
    """Stop a job: its sweep has 60 seconds to save, and goes on when it is submitted again."""
    return "qipo_ray.cli.job:stop"


def doctor(
    cluster: Annotated[
        str | None,
        typer.Option(
            "--cluster",
            metavar="ADDRESS",
            help="Look at every machine of a cluster: http://HEAD:8265; on one of them: auto.",
        ),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option("--results", envvar="QIPO_RESULTS", help="A folder for results, to try."),
    ] = None,
    sweep: Annotated[
        str | None,
        typer.Option(
            "--sweep", metavar="LINE", help="Check data and resources, too, of this sweep."
        ),
    ] = None,
    insecure: Insecure = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> str:
    """Check all that the program needs, a line each, with what to do about it.

    Exit code 1 if something that is needed is missing; a note is about what can be done without.
    """
    return "qipo_ray.cli.doctor:doctor"
