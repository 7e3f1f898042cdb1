"""The logger for TensorBoard: a run's scalars and settings, and the page of custom charts."""

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
    """The one event file of a folder, begun anew. It is open only while summaries are added.

    Thousands of them need neither threads nor file handles, and errors are raised at once.
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


def scalars(values: Mapping[str, float], descriptions: Mapping[str, str] | None = None) -> Any:
    """Return the summary of scalars by tag, with the description of those that have one."""
    plugin = SummaryMetadata.PluginData(plugin_name="scalars")
    metadata = {
        tag: SummaryMetadata(summary_description=description, plugin_data=plugin)
        for tag, description in (descriptions or {}).items()
    }
    return Summary(
        value=[
            Summary.Value(tag=tag, simple_value=value, metadata=metadata.get(tag))
            for tag, value in values.items()
        ]
    )


class TensorBoardLogger:
    """The event file of one run. It is derived: opening the logger makes it anew."""

    def __init__(self, logged_run: LoggedRun) -> None:
        shutil.rmtree(logged_run.folder, ignore_errors=True)
        self.events = EventFile(logged_run.folder)
        self.events.add((0, text("configuration", settings_table(logged_run.settings))))
        self.pending = dict(DESCRIPTIONS)  # written with a tag's first value

    def write(self, rows: Sequence[LogRow]) -> None:
        """Add rows, each tag at its stage's updates."""
        summaries = []
        for row in rows:
            described = {tag: self.pending.pop(tag) for tag in row.values if tag in self.pending}
            summaries.append((row.updates, scalars(row.values, described)))
        self.events.add(*summaries)

    def close(self) -> None:
        """Do nothing: no file is open."""


class Page:
    """The page for all runs below ``folder``: the layout of its charts."""

    def __init__(self, folder: Path) -> None:
        self.events = EventFile(folder)
        self.events.add((0, custom_scalars(LAYOUT)))

    def sync(self) -> None:
        """Do nothing: the page does not change."""

    def close(self) -> None:
        """Do nothing: no file is open."""


def settings_table(settings: Mapping[str, Any]) -> str:
    """Return settings as a Markdown table."""
    lines = [f"| {key} | `{value}` |" for key, value in settings.items()]
    return "\n".join(["| setting | value |", "|---|---|", *lines])
