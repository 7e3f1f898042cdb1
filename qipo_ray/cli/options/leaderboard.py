"""The options of ``qipo-ray leaderboard``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def leaderboard(
    results: Annotated[
        list[Path], typer.Argument(metavar="RESULTS...", help="Results folders, read below.")
    ],
    by: Annotated[
        Literal["task", "family", "config"] | None,
        typer.Option(help="A line per task and method, per family, or per configuration."),
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
