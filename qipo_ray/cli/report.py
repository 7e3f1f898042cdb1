"""``qipo-ray report``: one HTML file about a sweep."""

from __future__ import annotations

from pathlib import Path

from qipo_ray.cli import output as out
from qipo_ray.errors import UserError
from qipo_ray.leaderboard.sweep_report import read_report


def report(sweep: Path, output: Path | None, figures: Path | None, literature: bool) -> None:
    """Write the page about a sweep, and its pictures if asked to."""
    sweep_report = read_report(sweep, literature=literature)
    page = output or sweep / "leaderboard" / "report.html"
    if page.is_dir():
        raise UserError(f"{page} is a folder; --output names the file, such as report.html")
    files = {page: sweep_report.html().encode()}
    if figures is not None:
        files |= dict(sweep_report.figure_files(figures))
    for path, data in files.items():
        with out.writing(path, "cannot write there"):
            path.parent.mkdir(parents=True, exist_ok=True)
            out.write_files({path: data})
