"""``qipo-ray verify``: whether a sweep's files, books and tables can be believed."""

from __future__ import annotations

from pathlib import Path

import typer

from qipo_ray.cli import output as out
from qipo_ray.verify import VerifyReport
from qipo_ray.verify import verify as verify_sweep

WRONG = 1  # exit code


def verify(sweep: Path, json: bool) -> None:
    """Print what is wrong with a sweep's folder; leave with exit code 1 if anything is."""
    with out.progress("verifying") as report:
        verdict = verify_sweep(sweep, report)
    if json:
        out.print_json(verdict.document())
    else:
        _print(verdict)
    if verdict.faults:
        raise typer.Exit(WRONG)


def _print(verdict: VerifyReport) -> None:
    if verdict.driver is not None:
        out.write(f"running: {verdict.driver}; only what has ended is checked")
    out.write(f"artefacts: {verdict.files:,} files, {verdict.bytes / 1e6:,.1f} MB hashed")
    if verdict.counts is not None:
        parts = " + ".join(f"{number} {state}" for state, number in verdict.counts.items())
        out.write(f"runs: {verdict.planned} planned = {parts}")
    for finding in verdict.faults:
        out.write(f"WRONG {finding.place}: {finding.what}")
    for finding in verdict.remarks:
        out.write(f"note {finding.place}: {finding.what}")
    if not verdict.faults:
        out.write("nothing is wrong")
