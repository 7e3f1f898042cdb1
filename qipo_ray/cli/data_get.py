"""``qipo-ray data get`` and ``data plan``: D4RL's files, asked for by name."""

from __future__ import annotations

import json as json_format
import time
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from qipo_ray.cli import output as out

if TYPE_CHECKING:
    from collections.abc import Callable

    from qipo_ray.data.catalogue import Entry

Tasks = Annotated[
    list[str], typer.Argument(metavar="TASK...", help="D4RL ids, or patterns like 'hopper-*-v2'.")
]


def get(
    tasks: Tasks,
    trust: Annotated[
        bool,
        typer.Option("--trust", help="Use a file whose SHA-256 nobody has published."),
    ] = False,
    max_mb: Annotated[
        int, typer.Option("--max-mb", min=1, help="For a file whose size is not known.")
    ] = 4000,
    max_minutes: Annotated[
        float, typer.Option("--max-minutes", min=0.01, help="For one file.")
    ] = 60.0,
) -> None:
    """Download D4RL's files into D4RL's cache, verified; after a break, go on where it was.

    Straight from D4RL's host: proxies are not used, see `data plan`.
    """
    from qipo_ray.data.catalogue import entries
    from qipo_ray.data.download import DownloadLimits, fetch

    limits = DownloadLimits(bytes=max_mb * 10**6, seconds=60 * max_minutes)
    for one in entries(tasks):
        with out.live(f"getting {one.task_id}") as view:
            path, digest = fetch(
                one,
                trust=trust,
                limits=limits,
                report=_reporter(view),
                waiting=partial(view.line, "another process is at it; waiting"),
            )
        known = "as published" if one.sha256 else "trusted, not published"
        out.remark(f"{one.task_id}: SHA-256 {digest}, {known}")
        out.write(str(path))


def plan(
    tasks: Tasks,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> None:
    """Show what `data get` would download and where to put it, to fetch it by other means."""
    from qipo_ray.data.catalogue import entries

    planned = entries(tasks)
    if json:
        rows = [asdict(one) | {"target": str(one.target)} for one in planned]
        out.write(json_format.dumps(rows, indent=2))
        return
    for one in planned:
        out.write(_lines(one))
    known = [one.bytes for one in planned if one.bytes is not None]
    unknown = len(planned) - len(known)
    more = f", and {unknown} of unknown size" if unknown else ""
    out.remark(f"{len(planned)} files: {len(known)} of {sum(known) / 1e6:,.1f} MB{more}")


def _lines(one: Entry) -> str:
    size = "not known" if one.bytes is None else f"{one.bytes:,} bytes"
    here = " (is there)" if one.target.exists() else ""
    return (
        f"{one.task_id}\n  url     {one.url}\n  size    {size}\n"
        f"  sha256  {one.sha256 or 'not known'}\n  target  {one.target}{here}"
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
        where = f"{done / 1e6:,.1f} of {total / 1e6:,.1f} MB" if total else f"{done / 1e6:,.1f} MB"
        view.update(done / total if total else 0.0, left, f"{where}, {speed / 1e6:,.1f} MB/s")

    return report
