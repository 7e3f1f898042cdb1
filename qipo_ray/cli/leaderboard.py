"""``qipo-ray leaderboard``: tables from the records of finished runs."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Literal

from qipo_ray.cli import output as out
from qipo_ray.cli.score_tables import print_leaderboard
from qipo_ray.errors import UserError, nearest
from qipo_ray.leaderboard import Leaderboard
from qipo_ray.leaderboard import leaderboard as read
from qipo_ray.leaderboard.board import FORMATS, Format
from qipo_ray.leaderboard.formats.document import SCHEMA
from qipo_ray.leaderboard.formats.huggingface import results_files
from qipo_ray.leaderboard.views import By
from qipo_ray.store.records import gc_paused


def leaderboard(
    results: list[Path],
    by: By | None,
    columns: str | None,
    formats: str | None,
    literature: bool,
    output: Path | None,
    json: bool,
) -> None:
    """Print the tables of results folders, or write them as documents."""
    chosen = _chosen(formats)
    if output is None and (len(chosen) > 1 or "hf" in chosen):
        raise UserError(f"--format {formats}: add --output DIR, where the files are to go")
    with gc_paused():
        board = read(results, by, literature=literature)
        if columns is not None:
            board = replace(board, columns=_names(columns))
        if output is None:  # what is written keeps an older form, what is shown has today's
            board = replace(board, schema=SCHEMA)
        else:
            with out.writing(output, "cannot write there"):
                output.mkdir(parents=True, exist_ok=True)
                files = _files(board, chosen).items()
                out.write_files({output / name: text.encode() for name, text in files})
        if json:
            out.write(board.document("json"))
        elif output is None and chosen:
            out.write(next(iter(_files(board, chosen).values())))
        else:
            print_leaderboard(board)


def _names(columns: str) -> tuple[str, ...]:
    """Return the columns asked for; a name with a comma is in quotes."""
    try:
        (names,) = csv.reader([columns], skipinitialspace=True)
    except csv.Error:
        names = []
    if not names:
        raise UserError(
            f"--columns: expected names on one line, with commas between; got {columns!r:.80}"
        )
    return tuple(names)


def _chosen(formats: str | None) -> list[Format | Literal["hf"]]:
    """Return the formats asked for, each once; none where none was."""
    allowed: dict[str, Format | Literal["hf"]] = {name: name for name in FORMATS} | {"hf": "hf"}
    names = [] if formats is None else [name.strip() for name in formats.split(",")]
    for name in names:
        if name not in allowed:
            raise UserError(
                f"--format: expected some of {', '.join(allowed)}; got {name!r}"
                f"{nearest(name, allowed)}"
            )
    return [allowed[name] for name in dict.fromkeys(names)]


def _files(board: Leaderboard, chosen: list[Format | Literal["hf"]]) -> dict[str, str]:
    """Return the documents asked for, or every one that people and programs read, by file name."""
    formats = [name for name in chosen if name != "hf"] if chosen else FORMATS
    files = {f"leaderboard.{suffix}": text for suffix, text in board.documents(formats).items()}
    return files | (results_files(board.rows) if "hf" in chosen else {})
