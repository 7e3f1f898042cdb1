"""The options of ``qipo-ray verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def verify(
    sweep: Annotated[Path, typer.Argument(metavar="SWEEP", help="The folder of a sweep.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> str:
    """Hash every artefact, hold every record to what made it, and rebuild the tables.

    Nothing is changed. One line for each thing that is wrong, and then exit code 1. While a sweep
    runs, what has ended is judged.
    """
    return "qipo_ray.cli.verify:verify"
