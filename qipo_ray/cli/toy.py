"""``qipo-ray toy``: the mathematics shown on laws whose answer is known."""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from qipo_ray.cli import output as out
from qipo_ray.cli.prepare import writable
from qipo_ray.cores import usable_cores
from qipo_ray.errors import UserError, nearest
from qipo_ray.validation.cell_runner import run_cells
from qipo_ray.validation.experiment_report import ExperimentReport, markdown
from qipo_ray.validation.experiments import EXPERIMENTS

MISSED = 1  # exit code


def toy(
    experiment: str, seeds: int, quick: bool, results: Path, jobs: int | None, json: bool
) -> None:
    """Print and keep an experiment's tables; leave with exit code 1 if a number misses."""
    if experiment not in EXPERIMENTS:
        hint = nearest(experiment, EXPERIMENTS)
        raise UserError(f"no experiment {experiment!r}{hint}; there are {', '.join(EXPERIMENTS)}")
    chosen = EXPERIMENTS[experiment]
    folder = writable(results) / (f"{experiment}-quick" if quick else experiment)
    cells = list((chosen.quick if quick else chosen.full)(seeds))
    started = time.monotonic()
    with out.live(f"toy {experiment}") as live:

        def progress(done: int, total: int, title: str) -> None:
            left = (time.monotonic() - started) / done * (total - done) if done else None
            live.update(done / total if total else 1.0, left, title)

        outcomes = run_cells(cells, folder / "cells", jobs or usable_cores(), progress)
    report = chosen.report(outcomes)
    files = {"report.md": markdown(chosen.title, report).encode(), **report.pictures}
    out.write_files({folder / name: content for name, content in files.items()})
    if json:
        out.print_json(_plain(report))
    else:
        _show(report)
    missed = [target.name for target in report.targets if not target.met]
    if missed and not quick:
        out.remark(f"{len(missed)} of {len(report.targets)} numbers miss their limit: {missed[0]}")
        raise typer.Exit(MISSED)


def _plain(report: ExperimentReport) -> dict[str, Any]:
    """Return the numbers as JSON holds them."""
    targets = [
        asdict(it) | {"bound": it.bound if math.isfinite(it.bound) else None, "met": it.met}
        for it in report.targets
    ]
    return {"tables": [asdict(table) for table in report.tables], "targets": targets}


def _show(report: ExperimentReport) -> None:
    for table in report.tables:
        out.write(f"\n{table.title}")
        numbers = [i >= table.labels for i in range(len(table.columns))]
        out.print_rows(table.columns, table.rows, numbers)
        if table.note:
            out.write(table.note)
