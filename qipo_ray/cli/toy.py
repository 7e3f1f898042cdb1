"""``qipo-ray toy``: the mathematics shown on laws whose answer is known."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qipo_ray.cli import output as out
from qipo_ray.errors import UserError, nearest

if TYPE_CHECKING:
    from qipo_ray.validation.experiment_report import ExperimentReport


MISSED = 1  # exit code


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
) -> None:
    """Show that energy weighting reaches its target, with numbers, tables and a picture.

    The same command continues after an interruption. Exit code 1 if a number misses its limit
    (never with --quick, which is too short to reach them).
    """
    from qipo_ray.validation.experiments import EXPERIMENTS
    from qipo_ray.validation.runner import run_cells

    if experiment not in EXPERIMENTS:
        hint = nearest(experiment, EXPERIMENTS)
        raise UserError(f"no experiment {experiment!r}{hint}; there are {', '.join(EXPERIMENTS)}")
    chosen = EXPERIMENTS[experiment]
    folder = results / (f"{experiment}-quick" if quick else experiment)
    cells = list((chosen.quick if quick else chosen.full)(seeds))
    started = time.monotonic()
    try:
        with out.live(f"toy {experiment}") as live:

            def progress(done: int, total: int, title: str) -> None:
                left = (time.monotonic() - started) / done * (total - done) if done else None
                live.update(done / total if total else 1.0, left, title)

            processes = jobs or len(os.sched_getaffinity(0))
            outcomes = run_cells(cells, folder / "cells", processes, progress)
        report = chosen.report(outcomes)
        _save(folder, chosen.title, report)
    except OSError as error:
        raise UserError(f"{error.filename or folder}: {error.strerror or error}") from error
    _show(report)
    missed = [demand.what for demand in report.demands if not demand.met]
    if missed and not quick:
        out.remark(f"{len(missed)} of {len(report.demands)} numbers miss their limit: {missed[0]}")
        raise typer.Exit(MISSED)


def _save(folder: Path, title: str, report: ExperimentReport) -> None:
    """Write the tables as Markdown and the pictures beside them."""
    from qipo_ray.store.files import write_bytes
    from qipo_ray.validation.experiment_report import markdown

    files = {"report.md": markdown(title, report).encode(), **report.pictures}
    for name, content in files.items():
        write_bytes(folder / name, content)
        out.remark(f"wrote {folder / name}")


def _show(report: ExperimentReport) -> None:
    for table in report.tables:
        out.write(f"\n{table.title}")
        numbers = [i >= table.labels for i in range(len(table.columns))]
        out.print_rows(table.columns, table.rows, numbers)
        if table.note:
            out.write(table.note)
