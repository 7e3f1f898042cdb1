"""The options of the verbs of ``qipo-ray bench``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def learning(
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FOLDER", help="Where hopper and cheetah are.")
    ] = None,
    results: Annotated[
        Path, typer.Option("--results", metavar="DIR", help="What is there is not done again.")
    ] = Path("results/bench-learning"),
    tasks: Annotated[
        str | None, typer.Option("--tasks", help="Of point,maze,hopper,cheetah; else all.")
    ] = None,
    seeds: Annotated[
        str, typer.Option("--seeds", help="Comma-separated.")
    ] = "100,101,102,103,104",
    paper_form: Annotated[
        bool,
        typer.Option("--paper-form", help="Beside it the paper's form, 20 CPU minutes a task."),
    ] = False,
    jobs: Annotated[
        int, typer.Option("--jobs", min=1, help="Processes; one per core if not given.")
    ] = os.cpu_count() or 1,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown instead of a table.")
    ] = False,
) -> str:
    """Train both paths on small tasks within CPU budgets, and compare with cloning.

    The same command continues after an interruption. Exit code 1 if a number is not reached.
    """
    return "qipo_ray.cli.bench:learning"
