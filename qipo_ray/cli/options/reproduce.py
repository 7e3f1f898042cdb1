"""The options of ``qipo-ray reproduce``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def reproduce(
    record: Annotated[
        Path, typer.Argument(metavar="RECORD", help="A file <results>/records/<id>.json.")
    ],
    run: Annotated[
        bool, typer.Option("--run", help="Carry it out and compare the numbers.")
    ] = False,
    results: Annotated[
        Path | None,
        typer.Option("--results", metavar="DIR", help="A new folder; else reproduced/<id>."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FILE", help="The data, in D4RL's layout.")
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="cpu, cuda or cuda:1; else the record's.")
    ] = None,
) -> str:
    """Print the command that gives the same number; say on stderr what differs here.

    With --run it is trained anew, in a folder that holds nothing else. Exit code 0 if the last
    score, those on the way and cloning's are equal to the last bit; where packages, machine,
    device, threads or pack differ, if the last score's mean return is within 1.96 standard errors
    of the difference. Exit code 1 if not, or if it could not be compared.
    """
    return "qipo_ray.cli.reproduce:reproduce"
