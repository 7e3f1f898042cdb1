"""TensorBoard: a run's scalars and its configuration, and the page that shows what matters."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from qipo_ray.train.sinks import Row, Shown

# The charts of the page "custom scalars", from tags that every run has: (kind, tags).
LAYOUT = {
    "score": {
        "score with its 95 % interval over episodes": [
            "Margin",
            ["score/normalised", "score/low", "score/high"],
        ],
    },
    "training": {
        "effective sample size of the weights": ["Multiline", ["policy/ess"]],
        "spread of Q over support actions": [
            "Multiline",
            ["critic/support_q_std", "policy/support_q_std"],
        ],
        "throughput, updates per second": [
            "Multiline",
            [f"{stage}/updates_per_s" for stage in ("behaviour", "critic", "policy")],
        ],
    },
}


class TensorBoardSink:
    """Event files of one run. They are derived: opening the sink makes them anew."""

    def __init__(self, shown: Shown) -> None:
        shutil.rmtree(shown.folder, ignore_errors=True)
        self.writer = SummaryWriter(str(shown.folder))
        self.writer.add_text("configuration", settings_table(shown.settings), 0)

    def write(self, rows: Sequence[Row]) -> None:
        """Add rows, each tag at its stage's updates."""
        for row in rows:
            for tag, value in row.values.items():
                self.writer.add_scalar(tag, value, row.updates)
        self.writer.flush()

    def close(self) -> None:
        """Close the file."""
        self.writer.close()


def settings_table(settings: Mapping[str, Any]) -> str:
    """Return settings as a Markdown table."""
    lines = [f"| {key} | `{value}` |" for key, value in settings.items()]
    return "\n".join(["| setting | value |", "|---|---|", *lines])


def fresh_page(folder: Path) -> SummaryWriter:
    """Return the writer of what concerns all runs below ``folder``; it holds the layout."""
    for old in folder.glob("events.out.tfevents.*"):
        old.unlink()
    writer = SummaryWriter(str(folder))
    writer.add_custom_scalars(LAYOUT)
    return writer
