"""A job's metrics as a CSV file beside its snapshots: written once a step, also after a resume."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from qipo_ray.store.bucket import is_object
from qipo_ray.store.files import naming, read_bytes, write_bytes

FILE = "metrics.csv"
Row = dict[str, float]


def read_metrics(folder: Path) -> list[Row]:
    """Return the rows of a job's metrics, by updates and each once.

    Lines that are torn or otherwise no row are left out: metrics are for people, and no training
    depends on them.
    """
    try:
        text = read_bytes(folder / FILE).decode(errors="replace")
    except FileNotFoundError:
        return []
    names, *lines = [*csv.reader(io.StringIO(text[: text.rfind("\n") + 1]))] or [[]]
    rows: dict[float, Row] = {}
    for line in lines:
        if len(line) == len(names):
            with suppress(ValueError):
                row = dict(zip(names, map(float, line), strict=True))
                rows.setdefault(row.get("updates", math.nan), row)
    return [rows[updates] for updates in sorted(rows) if not math.isnan(updates)]


class MetricsLog:
    """Appends a job's metrics; opening it at ``updates`` forgets what came after.

    To an object nothing can be appended: ``publish`` puts its rows there, with each snapshot.
    """

    def __init__(self, folder: Path, updates: int) -> None:
        self.path = folder / FILE
        rows = [row for row in read_metrics(folder) if row["updates"] <= updates]
        self.names = list(rows[0]) if rows else []
        self._rows = rows if is_object(self.path) else None
        if self._rows is None and self.path.exists():
            write_bytes(self.path, self._text(rows, header=bool(rows)).encode())

    def _text(self, rows: list[Row], *, header: bool) -> str:
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, self.names, restval="nan", lineterminator="\n")
        if header:
            writer.writeheader()
        writer.writerows(
            {name: int(v) if name == "updates" else v for name, v in row.items()} for row in rows
        )
        return buffer.getvalue()

    def append(self, updates: int, metrics: Mapping[str, float]) -> None:
        """Add the row of one step; one with new names makes a new table, of both."""
        row = {"updates": float(updates), **metrics}
        if self._rows is not None:
            self.names += [name for name in row if name not in self.names]
            self._rows.append(row)
            return
        first = not self.names
        if first:
            self.names = list(row)
        elif new := [name for name in row if name not in self.names]:
            before = read_metrics(self.path.parent)
            self.names += new
            write_bytes(self.path, self._text(before, header=True).encode())
        with naming(self.path), self.path.open("a") as file:
            file.write(self._text([row], header=first))

    def publish(self) -> None:
        """Let others see the rows; those in a file they see at once."""
        if self._rows:
            write_bytes(self.path, self._text(self._rows, header=True).encode())
