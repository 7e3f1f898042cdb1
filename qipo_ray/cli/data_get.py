"""``qipo-ray data get`` and ``data plan``: D4RL's files, asked for by name."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial

from qipo_ray.cli import output as out
from qipo_ray.data import download
from qipo_ray.data.catalogue import Entry, entries
from qipo_ray.leaderboard.tables import counted


def get(tasks: list[str], trust: bool, max_mb: int, max_minutes: float) -> None:
    """Download the files of tasks, one after another, and print where each lies."""
    limits = download.DownloadLimits(bytes=max_mb * 10**6, seconds=60 * max_minutes)
    for entry in entries(tasks):
        with out.live(f"getting {entry.task_id}") as view:
            path, digest = download.fetch(
                entry,
                trust=trust,
                limits=limits,
                report=_reporter(view),
                waiting=partial(view.line, "another process is at it; waiting"),
            )
        status = "as published" if entry.sha256 else "trusted, not published"
        out.remark(f"{entry.task_id}: SHA-256 {digest}, {status}")
        out.write(str(path))


def plan(tasks: list[str], json: bool) -> None:
    """Print what ``get`` would download and where to."""
    planned = entries(tasks)
    if json:
        rows = [asdict(entry) | {"target": str(entry.target)} for entry in planned]
        out.print_json(rows)
        return
    for entry in planned:
        out.write(_lines(entry))
    sizes = [entry.bytes for entry in planned if entry.bytes is not None]
    unknown = len(planned) - len(sizes)
    more = f", and {unknown} of unknown size" if unknown else ""
    out.remark(
        f"{counted(len(planned), 'file')}: {len(sizes)} of {sum(sizes) / 1e6:,.1f} MB{more}"
    )


def _lines(entry: Entry) -> str:
    size = "not known" if entry.bytes is None else f"{entry.bytes:,} bytes"
    presence = " (is there)" if entry.target.exists() else ""
    return (
        f"{entry.task_id}\n  url     {entry.url}\n  size    {size}\n"
        f"  sha256  {entry.sha256 or 'not known'}\n  target  {entry.target}{presence}"
    )


def _reporter(view: out.Live) -> Callable[[int, int | None], None]:
    """Return a function (done, total) that shows bytes, speed and time left."""
    begun = time.monotonic()
    first: int | None = None

    def report(done: int, total: int | None) -> None:
        nonlocal first
        first = done if first is None else first
        speed = (done - first) / max(time.monotonic() - begun, 1e-3)
        left = (total - done) / speed if total and speed else None
        amount = f"{done / 1e6:,.1f} " + (f"of {total / 1e6:,.1f} MB" if total else "MB")
        view.update(done / total if total else 0.0, left, f"{amount}, {speed / 1e6:,.1f} MB/s")

    return report
