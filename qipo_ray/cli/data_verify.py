"""``qipo-ray data verify``: whether a data file is what it says it is."""

from __future__ import annotations

from dataclasses import asdict

import typer

from qipo_ray.cli import output as out
from qipo_ray.cli.data_files import open_data
from qipo_ray.evaluation.data_checks import check

WRONG = 1  # exit code


def verify(source: str, task: str | None, json: bool) -> None:
    """Print the checks of a data file; leave with exit code 1 if one is WRONG."""
    dataset, file_task = open_data(source, task)
    with out.progress(f"replaying {dataset.path.name}") as report:
        checks = check(dataset, file_task, report)
    wrong = [result for result in checks if result.verdict == "WRONG"]
    if json:
        document = {
            "file": str(dataset.path),
            "task": file_task.id,
            "sha256": dataset.sha256,
            "source": dataset.source,
            "wrong": len(wrong),
            "checks": [asdict(result) for result in checks],
        }
        out.print_json(document)
    else:
        for result in checks:
            out.write(f"{result.verdict:<6}{result.name:<11}{result.words}")
        for note in dataset.notes:
            out.write(f"{'note':<6}{'reading':<11}{note}")
        names = ", ".join(result.name for result in wrong)
        verdict = f"WRONG: {names}" if wrong else "nothing is wrong"
        label = f"{dataset.path.name}, task {file_task.id}, source {dataset.source}"
        out.write(f"{label}: {verdict}")
    if wrong:
        raise typer.Exit(WRONG)
