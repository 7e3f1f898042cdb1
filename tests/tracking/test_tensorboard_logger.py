"""Event files that TensorBoard reads back: scalars, settings, descriptions and the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout

from qipo_ray.tracking.loggers import LoggedRun, LogRow
from qipo_ray.tracking.tensorboard_logger import LAYOUT, Page, TensorBoardLogger, settings_table


def read(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def test_event_files_are_read_back_with_the_configuration(
    logged_run: LoggedRun, rows: list[LogRow], tmp_path: Path
) -> None:
    for _ in range(2):  # the second time as after a resume
        TensorBoardLogger(logged_run).write(rows)
    events = read(tmp_path / "tensorboard" / "point" / "tiny" / "seed-7")
    assert [(e.step, e.value) for e in events.Scalars("behaviour/loss")] == [(100, 2), (200, 1)]
    (text,) = events.Tensors("configuration/text_summary")
    assert b"| behaviour.width | `16` |" in text.tensor_proto.string_val[0]


def test_mean_q_is_described_as_no_success_once(logged_run: LoggedRun) -> None:
    logger = TensorBoardLogger(logged_run)
    for updates in (100, 200):
        logger.write([LogRow(updates, updates, {"policy/support_q": 1.0, "policy/ess": 2.0})])
    events = read(logged_run.folder)
    description = events.SummaryMetadata("policy/support_q").summary_description
    assert "rises even where the score falls" in description
    assert [e.value for e in events.Scalars("policy/support_q")] == [1.0, 1.0]
    assert logger.events.path.read_bytes().count(b"rises even where") == 1


def test_the_layout_is_one_page_whose_charts_name_tags_that_exist(tmp_path: Path) -> None:
    for _ in range(2):
        Page(tmp_path / "tensorboard")
    assert len(list((tmp_path / "tensorboard").iterdir())) == 1
    (tensor,) = read(tmp_path / "tensorboard").Tensors("custom_scalars__config__")
    categories = Layout.FromString(tensor.tensor_proto.string_val[0]).category
    titles = {part.title: [chart.title for chart in part.chart] for part in categories}
    assert titles == {name: list(charts) for name, charts in LAYOUT.items()}
    margin = categories[0].chart[0].margin.series[0]
    assert (margin.value, margin.lower, margin.upper) == (
        "score/normalised",
        "score/low",
        "score/high",
    )


def test_settings_are_a_table() -> None:
    settings: dict[str, Any] = {"policy.beta": 3.0, "sampler.clip": True}
    assert settings_table(settings).splitlines()[2:] == [
        "| policy.beta | `3.0` |",
        "| sampler.clip | `True` |",
    ]
