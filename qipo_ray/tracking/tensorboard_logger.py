"""TensorBoard: a run's scalars and its configuration, and the page that shows what matters."""

from __future__ import annotations

import io
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.summary.writer.record_writer import RecordWriter
from torch.utils.tensorboard.summary import custom_scalars, text

from qipo_ray.config import STAGES
from qipo_ray.tracking.loggers import DESCRIPTIONS, LoggedRun, LogRow

# The charts of the page "custom scalars", from tags that every run has: (kind, tags). A chart has
# one tag, so that each of its colours is a run; TensorBoard draws those with a margin last.
LAYOUT = {
    "score": {
        "95 % interval of the score over episodes": [
            "Margin",
            ["score/normalised", "score/low", "score/high"],
        ],
        "effective sample size of the weights": ["Multiline", ["policy/ess"]],
        "spread of Q over support actions": ["Multiline", ["policy/support_q_std"]],
        "distance of the policy from the behaviour, 1 for itself": [
            "Multiline",
            ["policy/drift"],
        ],
        "beta in use": ["Multiline", ["policy/beta"]],
    },
    "critic report": {
        "spread of Q over proposed actions": ["Multiline", ["critic_report/q_std"]],
        "what the twins differ by": ["Multiline", ["critic_report/disagreement"]],
        "correlation with returns": ["Multiline", ["critic_report/correlation"]],
    },
    "policy report": {
        "distance of the last policy from the behaviour": ["Multiline", ["policy_report/drift"]],
        "spread of its actions": ["Multiline", ["policy_report/action_std"]],
    },
    "loss": {stage: ["Multiline", [f"{stage}/loss"]] for stage in STAGES},
    "norm of the gradient": {stage: ["Multiline", [f"{stage}/grad_norm"]] for stage in STAGES},
    "throughput, updates per second": {
        stage: ["Multiline", [f"{stage}/updates_per_s"]] for stage in STAGES
    },
}


class EventFile:
    """The one event file of a folder, begun anew. It is open only while something is added.

    Thousands of them cost neither threads nor file handles, and what goes wrong is raised at once.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("events.out.tfevents.*"):
            old.unlink()
        self.path = folder / f"events.out.tfevents.{time.time_ns()}"  # a reader takes the last
        self._append(Event(wall_time=time.time(), file_version="brain.Event:2"))

    def add(self, *summaries: tuple[int, Any]) -> None:
        """Append summaries, each at its step."""
        now = time.time()
        self._append(
            *(Event(wall_time=now, step=step, summary=summary) for step, summary in summaries)
        )

    def _append(self, *events: Any) -> None:
        buffer = io.BytesIO()
        writer = RecordWriter(buffer)
        for event in events:
            writer.write(event.SerializeToString())
        with self.path.open("ab") as file:
            file.write(buffer.getvalue())


def scalars(values: Mapping[str, float], described: Mapping[str, str] | None = None) -> Any:
    """Return the summary of scalars by tag, with the description of those that have one."""
    plugin = SummaryMetadata.PluginData(plugin_name="scalars")
    words = {
        tag: SummaryMetadata(summary_description=text, plugin_data=plugin)
        for tag, text in (described or {}).items()
    }
    return Summary(
        value=[
            Summary.Value(tag=tag, simple_value=value, metadata=words.get(tag))
            for tag, value in values.items()
        ]
    )


class TensorBoardLogger:
    """The event file of one run. It is derived: opening the logger makes it anew."""

    def __init__(self, shown: LoggedRun) -> None:
        shutil.rmtree(shown.folder, ignore_errors=True)
        self.events = EventFile(shown.folder)
        self.events.add((0, text("configuration", settings_table(shown.settings))))
        self.described = dict(DESCRIPTIONS)  # still to come: a tag's first value brings its own

    def write(self, rows: Sequence[LogRow]) -> None:
        """Add rows, each tag at its stage's updates."""
        summaries = []
        for row in rows:
            due = {tag: self.described.pop(tag) for tag in row.values if tag in self.described}
            summaries.append((row.updates, scalars(row.values, due)))
        self.events.add(*summaries)

    def close(self) -> None:
        """Nothing is open."""


class Page:
    """What concerns all runs below ``folder``: the layout."""

    def __init__(self, folder: Path) -> None:
        self.events = EventFile(folder)
        self.events.add((0, custom_scalars(LAYOUT)))

    def sync(self) -> None:
        """Nothing follows."""

    def close(self) -> None:
        """Nothing is open."""


def settings_table(settings: Mapping[str, Any]) -> str:
    """Return settings as a Markdown table."""
    lines = [f"| {key} | `{value}` |" for key, value in settings.items()]
    return "\n".join(["| setting | value |", "|---|---|", *lines])
