"""The options of ``qipo-ray report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


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
