"""The options of ``qipo-ray evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="A results folder, or one record's file.")
    ],
    record: Annotated[
        str | None, typer.Option("--record", metavar="ID", help="Only this run of the folder.")
    ] = None,
    episodes: Annotated[
        int | None, typer.Option("--episodes", min=1, help="As recorded if not given.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            min=0,
            help="The first environment seed, of --episodes in a row, and that of the actions' "
            "noise; as recorded if not given.",
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="sampler.solver, sampler.evaluations, sampler.clip or evaluation.weights.",
        ),
    ] = None,
    video: Annotated[
        Path | None,
        typer.Option("--video", metavar="GIF", help="Draw the first episode of a single run."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> str:
    """Roll out the final policy of each finished run again; records stay as they are.

    With no option the scores equal the recorded ones. Seeds whose distance is less than --episodes
    share environments.
    """
    return "qipo_ray.cli.evaluate:evaluate"
