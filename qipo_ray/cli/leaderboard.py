"""``qipo-ray leaderboard``: tables from the records of finished runs."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from qipo_ray.cli import output as out
from qipo_ray.errors import UserError, nearest

if TYPE_CHECKING:
    from qipo_ray.leaderboard.board import Format, Leaderboard


class By(str, Enum):
    """How tables are cut."""

    task = "task"
    family = "family"
    config = "config"


def leaderboard(
    results: Annotated[
        list[Path], typer.Argument(metavar="RESULTS...", help="JobStore folders, read below.")
    ],
    by: Annotated[
        By | None,
        typer.Option(help="A line per task and method, per family, or per configuration."),
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option("--format", metavar="md,csv,html,latex,json,hf", help="One or several."),
    ] = None,
    literature: Annotated[
        bool, typer.Option("--literature", help="Published scores too, in their own table.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help="Write leaderboard.md and so on there."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Show scores with their intervals, the protocol and the data source of every number.

    Without --output one format is printed, and without --format a table. With --output every
    format is written, or those of --format; hf is a folder in the shape of Hugging Face's results.
    """
    from qipo_ray.leaderboard import leaderboard as read
    from qipo_ray.store.records import gc_paused

    chosen = _chosen(formats)
    if output is None and (len(chosen) > 1 or "hf" in chosen):
        raise UserError(f"--format {formats}: add --output DIR, where the files are to go")
    with gc_paused():
        board = read(results, by.value if by else None, literature=literature)
        if output is not None:
            _save(_files(board, chosen), output)
        if json:
            out.write(board.json())
        elif output is None and chosen:
            out.write(*_files(board, chosen).values())
        else:
            out.print_leaderboard(board)


def _chosen(formats: str | None) -> list[Format | Literal["hf"]]:
    """Return the formats asked for, each once; none where none was."""
    from qipo_ray.leaderboard.board import FORMATS

    allowed: dict[str, Format | Literal["hf"]] = {word: word for word in FORMATS} | {"hf": "hf"}
    words = [] if formats is None else [word.strip() for word in formats.split(",")]
    for word in words:
        if word not in allowed:
            raise UserError(
                f"--format: expected some of {', '.join(allowed)}; got {word!r}"
                f"{nearest(word, allowed)}"
            )
    return [allowed[word] for word in dict.fromkeys(words)]


def _files(board: Leaderboard, chosen: list[Format | Literal["hf"]]) -> dict[str, str]:
    """Return the documents asked for, or every one that people and programs read, by file name."""
    from qipo_ray.leaderboard.board import FORMATS
    from qipo_ray.leaderboard.huggingface import results_files

    wanted = [word for word in chosen if word != "hf"] if chosen else FORMATS
    files = {f"leaderboard.{suffix}": text for suffix, text in board.documents(wanted).items()}
    return files | (results_files(board.rows) if "hf" in chosen else {})


def _save(files: dict[str, str], folder: Path) -> None:
    """Write documents durably, or name what stands in the way."""
    from qipo_ray.store.files import write_bytes

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, document in files.items():
            write_bytes(folder / name, document.encode())
            out.remark(f"wrote {folder / name}")
    except OSError as error:
        raise UserError(f"{folder}: cannot write there ({error.strerror})") from error
