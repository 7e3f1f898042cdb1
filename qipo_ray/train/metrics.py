"""A job's metrics as a CSV file beside its snapshots: written once a step, also after a resume."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from qipo_ray.store.files import write_bytes

FILE = "metrics.csv"
Row = dict[str, float]


def read_metrics(folder: Path) -> list[Row]:
    """Return the rows of a job's metrics, in order of updates; a torn last line is left out."""
    try:
        text = (folder / FILE).read_text()
    except FileNotFoundError:
        return []
    whole = text[: text.rfind("\n") + 1]
    return [
        {name: float(value) for name, value in row.items()}
        for row in csv.DictReader(io.StringIO(whole))
    ]


class MetricsLog:
    """Appends a job's metrics; opening it at ``updates`` forgets what came after."""

    def __init__(self, folder: Path, updates: int) -> None:
        self.path = folder / FILE
        rows = [row for row in read_metrics(folder) if row["updates"] <= updates]
        self.names = list(rows[0]) if rows else []
        if self.path.exists():
            write_bytes(self.path, self._text(rows, header=bool(rows)).encode())

    def _text(self, rows: list[Row], *, header: bool) -> str:
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, self.names, lineterminator="\n")
        if header:
            writer.writeheader()
        writer.writerows(
            {name: int(v) if name == "updates" else v for name, v in row.items()} for row in rows
        )
        return buffer.getvalue()

    def append(self, updates: int, metrics: Mapping[str, float]) -> None:
        """Add the row of one step."""
        row = {"updates": float(updates), **metrics}
        first = not self.names
        if first:
            self.names = list(row)
        with self.path.open("a") as file:
            file.write(self._text([row], header=first))
