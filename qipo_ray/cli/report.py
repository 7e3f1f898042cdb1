"""``qipo-ray report``: one HTML file about a sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qipo_ray.cli import output as out
from qipo_ray.errors import UserError


def report(
    sweep: Annotated[Path, typer.Argument(metavar="SWEEP", help="The folder of a sweep.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", metavar="FILE", help="SWEEP/leaderboard/report.html if not given."
        ),
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option("--figures", metavar="DIR", help="Write the pictures there, SVG and PNG."),
    ] = None,
    literature: Annotated[
        bool, typer.Option("--literature", help="Published scores too, in their own table.")
    ] = False,
) -> None:
    """Write tables, pictures, best configurations, cost, warnings and protocol into one file.

    It needs no network: open it from the disk, or send it to somebody.
    """
    from qipo_ray.leaderboard.sweep_report import read_report

    found = read_report(sweep, literature=literature)
    page = output or sweep / "leaderboard" / "report.html"
    if page.is_dir():
        raise UserError(f"{page} is a folder; --output names the file, such as report.html")
    files = {page: found.html().encode()}
    if figures is not None:
        files |= dict(found.pictures(figures))
    _write(files)


def _write(files: dict[Path, bytes]) -> None:
    from qipo_ray.store.files import write_bytes

    for path, data in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(path, data)
        except OSError as error:
            raise UserError(f"{path}: cannot write there ({error.strerror})") from error
        out.remark(f"wrote {path}")
