"""The options of ``qipo-ray sweep``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def sweep(
    file: Annotated[
        str, typer.Argument(metavar="[FILE]", help="A search file, or the name of one that ships.")
    ] = "quickstart",
    tasks: Annotated[
        list[str] | None, typer.Option("--task", help="In place of the file's; may be repeated.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change the base: policy.renew_every=500."
        ),
    ] = None,
    trials: Annotated[
        int | None, typer.Option("--trials", min=1, help="Per task, in place of the file's.")
    ] = None,
    results: Annotated[
        Path,
        typer.Option("--results", envvar="QIPO_RESULTS", help="The sweep goes to RESULTS/NAME."),
    ] = Path("results"),
    executor: Annotated[
        str, typer.Option("--executor", help="ray, or local: this process, without Ray.")
    ] = "ray",
    address: Annotated[
        str | None,
        typer.Option("--address", help="Of a Ray head; else RAY_ADDRESS, else this machine."),
    ] = None,
    at_once: Annotated[
        int | None, typer.Option("--at-once", min=1, help="Trials in flight, if not by the slots.")
    ] = None,
    extend: Annotated[
        bool, typer.Option("--extend", help="Go on with a changed specification.")
    ] = False,
    log: Annotated[
        str | None,
        typer.Option("--log", metavar="wandb,mlflow", help="Services beside TensorBoard."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> str:
    """Search the space of FILE, confirm the best on fresh seeds, and print the leaderboard.

    The same command again continues where it was stopped, whatever stopped it.
    """
    return "qipo_ray.cli.sweep:sweep"
