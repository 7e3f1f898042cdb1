"""``qipo-ray leaderboard``: tables from the records of finished runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qipo_ray.cli import output as out
from qipo_ray.errors import UserError

if TYPE_CHECKING:
    from qipo_ray.leaderboard import Leaderboard


def leaderboard(
    results: Annotated[
        list[Path], typer.Argument(metavar="RESULTS...", help="Results folders, read below.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", metavar="DIR", help="Write leaderboard.md, .csv and .json there."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Show mean ± std over seeds, with the protocol and the data source of every number."""
    from qipo_ray.leaderboard import leaderboard as read

    board = read(results)
    if output is not None:
        _save(board, output)
    if json:
        out.write(board.json())
    else:
        out.print_leaderboard(board)


def _save(board: Leaderboard, folder: Path) -> None:
    """Write the three documents durably, or name what stands in the way."""
    from qipo_ray.store.files import write_bytes

    documents = {"md": board.markdown(), "csv": board.csv(), "json": board.json()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for suffix, document in documents.items():
            path = folder / f"leaderboard.{suffix}"
            write_bytes(path, document.encode())
            out.remark(f"wrote {path}")
    except OSError as error:
        raise UserError(f"{folder}: cannot write there ({error.strerror})") from error
