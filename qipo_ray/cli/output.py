"""What the verbs print: tables on stdout, remarks on stderr."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from qipo_ray.cli.plain_signs import printable
from qipo_ray.cli.text_table import laid_out
from qipo_ray.errors import UserError
from qipo_ray.store.bucket import with_uris
from qipo_ray.store.files import write_bytes

PIPE_WIDTH = 140  # columns, where stdout is no terminal and COLUMNS is not set


def remark(text: str) -> None:
    """Print a line for people on stderr, so that stdout holds the result alone."""
    sys.stderr.write(printable(with_uris(text)) + "\n")


def write(text: str) -> None:
    """Print a document on stdout."""
    text = printable(with_uris(text))
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def print_json(document: object) -> None:
    """Print a document on stdout as JSON."""
    write(json.dumps(document, indent=2, allow_nan=False))


def write_files(files: Mapping[Path, bytes]) -> None:
    """Write files durably, and say so of each."""
    for path, content in files.items():
        write_bytes(path, content)
        remark(f"wrote {path}")


@contextmanager
def writing(label: object, problem: str = "cannot be written") -> Iterator[None]:
    """Make a ``UserError`` of a failure in the block to write what ``label`` names."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{label}: {problem} ({error.strerror or error})") from error


def print_rows(
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    numbers: Sequence[bool],
    styles: Sequence[Sequence[str]] = (),
) -> None:
    """Print rows under titles; columns of numbers are aligned right and never broken."""
    screen = console()
    screen.print()
    screen.print(laid_out(titles, rows, numbers, styles, screen.width), soft_wrap=True)


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function (done, total) that shows the share done and the time left, on stderr."""
    begun = time.monotonic()
    with live(label) as view:

        def report(done: int, total: int) -> None:
            left = (time.monotonic() - begun) / done * (total - done) if done else None
            view.update(done / total if total else 1.0, left, f"{done:,} of {total:,}")

        yield report


class Live:
    """Progress of long work on stderr: a bar on a terminal, plain lines now and then elsewhere."""

    EVERY_S = 15.0  # between plain lines

    def __init__(self, label: str, bar: Progress | None) -> None:
        self.label, self.bar = label, bar
        self.task = bar.add_task(label, total=1.0, left="", detail="") if bar else None
        self.last = time.monotonic()

    def update(self, share: float, seconds_left: float | None, detail: str) -> None:
        """Show the share that is done, the time left, and what is being done."""
        left = "" if seconds_left is None else f"ETA {minutes(seconds_left)}"
        if self.bar is not None and self.task is not None:
            self.bar.update(self.task, completed=share, left=left, detail=detail)
        elif time.monotonic() - self.last >= self.EVERY_S:
            self.last = time.monotonic()
            remark(f"{self.label}: {100 * share:.0f} %, {left or 'no ETA yet'}, {detail}")

    def line(self, text: str) -> None:
        """Print a line that stays."""
        if self.bar is not None:
            self.bar.console.print(printable(with_uris(text)), highlight=False, markup=False)
        else:
            remark(text)


@contextmanager
def live(label: str) -> Iterator[Live]:
    """Yield a view of long work."""
    if not sys.stderr.isatty():
        yield Live(label, None)
        return

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[left]}"),
        TextColumn("{task.fields[detail]}", style="dim"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield Live(label, bar)


def minutes(seconds: float) -> str:
    """Return a time as bars have it, ``12:05``."""
    rounded = round(seconds)
    return f"{rounded // 60}:{rounded % 60:02d}"


def console() -> Console:
    """Return the console of stdout, without markup."""
    wide = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if wide else PIPE_WIDTH, highlight=False, markup=False, emoji=False)
