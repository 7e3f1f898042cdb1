"""``qipo-ray data verify``: whether a data file is what it says it is."""

from __future__ import annotations

import json as json_format
from dataclasses import asdict
from typing import Annotated

import typer

from qipo_ray.cli import output as out

WRONG = 1  # exit code


def verify(
    what: Annotated[
        str, typer.Argument(metavar="FILE|TASK", help="A data file, or a task's own.")
    ],
    task: Annotated[
        str | None, typer.Option("--task", help="The task of FILE, if its name does not tell.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> None:
    """Check a data file: hash, contents, actions, episode ends, and a replay in the simulator.

    The simulator is set to recorded states and given the recorded actions; rows that it does not
    lead to come from somewhere else. One line for each check, exit code 1 if one is WRONG.
    """
    from qipo_ray.cli.data_files import open_data
    from qipo_ray.evaluation.data_checks import check

    dataset, known = open_data(what, task)
    with out.progress(f"replaying {dataset.path.name}") as report:
        checks = check(dataset, known, report)
    wrong = [one for one in checks if one.verdict == "WRONG"]
    if json:
        document = {
            "file": str(dataset.path),
            "task": known.id,
            "sha256": dataset.sha256,
            "source": dataset.source,
            "wrong": len(wrong),
            "checks": [asdict(one) for one in checks],
        }
        out.write(json_format.dumps(document, indent=2))
    else:
        for one in checks:
            out.write(f"{one.verdict:<6}{one.name:<11}{one.words}")
        for note in dataset.notes:
            out.write(f"{'note':<6}{'reading':<11}{note}")
        found = f"WRONG: {', '.join(one.name for one in wrong)}" if wrong else "nothing is wrong"
        out.write(f"{dataset.path.name}, task {known.id}, source {dataset.source}: {found}")
    if wrong:
        raise typer.Exit(WRONG)
