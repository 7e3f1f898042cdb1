"""The options of ``qipo-ray toy``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def toy(
    experiment: Annotated[
        str,
        typer.Argument(
            metavar="EXPERIMENT",
            help="densities: six 2-D laws against their exact tilt. tilt: trained fields against "
            "the closed form. rounds: what repeated improvement adds up to. dimension: how errors "
            "grow with it. accuracy: solvers against network evaluations.",
        ),
    ] = "densities",
    seeds: Annotated[int, typer.Option("--seeds", min=1, max=100, help="Training seeds.")] = 1,
    quick: Annotated[bool, typer.Option("--quick", help="A small version, in a minute.")] = False,
    results: Annotated[
        Path, typer.Option("--results", metavar="DIR", help="What is there is not done again.")
    ] = Path("results/toy"),
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Processes; all cores if not given.")
    ] = None,
) -> str:
    """Show that energy weighting reaches its target, with numbers, tables and a picture.

    The same command continues after an interruption. Exit code 1 if a number misses its limit
    (never with --quick, which is too short to reach them).
    """
    return "qipo_ray.cli.toy:toy"
