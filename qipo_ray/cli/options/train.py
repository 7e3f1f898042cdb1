"""The options of ``qipo-ray train``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def train(
    task: Annotated[
        str | None, typer.Option("--task", help="A D4RL task, its twin, or point.")
    ] = None,
    preset: Annotated[
        str,
        typer.Option(
            "--preset",
            help="paper, quickstart, learning-cheetah, learning-hopper, learning-maze, "
            "learning-paper, learning-point, or a YAML file.",
        ),
    ] = "quickstart",
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting: policy.beta=3."),
    ] = None,
    seeds: Annotated[str, typer.Option("--seeds", help="Comma-separated: 0,1,2.")] = "0",
    results: Annotated[
        Path, typer.Option("--results", envvar="QIPO_RESULTS", help="Where results go.")
    ] = Path("results"),
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FILE", help="The data, or minari:ID.")
    ] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", min=1, help="Processes; one per core if not given.")
    ] = os.cpu_count() or 1,
    device: Annotated[
        str, typer.Option("--device", help="cpu, cuda or cuda:1; bit-equal resumes on the CPU.")
    ] = "cpu",
    log: Annotated[
        str | None,
        typer.Option("--log", metavar="wandb,mlflow", help="Services beside TensorBoard."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Only print every setting and where its value comes from; needs no task.",
        ),
    ] = False,
) -> str:
    """Train behaviour, critic and policy for each seed; score them; print the table.

    The same command again continues where it was stopped, and does nothing where all is done.
    """
    return "qipo_ray.cli.explain:explain" if explain else "qipo_ray.cli.train:train"
