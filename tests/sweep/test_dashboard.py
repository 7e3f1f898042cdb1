"""The dashboards of a sweep without a sweep: what is open, and a line per configuration."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from qipo_ray.sweep.dashboard import Dashboard
from qipo_ray.sweep.hparams import HParams
from qipo_ray.sweep.spec import Spec
from qipo_ray.sweep.trial import Outcome, Source, Trial
from qipo_ray.train.results import Results

SPACE = """\
space:
  behaviour.network: {choice: [unet, residual]}
  behaviour.blocks: {choice: [1, 2], when: {behaviour.network: [residual]}}
  sampler.clip: {choice: [true, false]}
  policy.beta: {loguniform: [5, 60]}
"""
PARAMS: list[dict[str, Any]] = [
    {"behaviour.network": "unet", "sampler.clip": True, "policy.beta": 7.0},
    {"behaviour.network": "residual", "behaviour.blocks": 2, "sampler.clip": False,
     "policy.beta": 3.0},
]  # fmt: skip


@pytest.fixture
def search(make_spec: Callable[..., Spec], tmp_path: Path) -> Any:
    """What dashboards ask of a search, with two trials that have not ended."""
    spec = make_spec(SPACE)
    trials = {
        f"{i:012d}": Trial(f"{i:012d}", "point", i, "search", params, spec.base, (0, 1), (100,))
        for i, params in enumerate(PARAMS)
    }
    return SimpleNamespace(
        spec=spec,
        root=tmp_path,
        results=Results(tmp_path),
        trials=trials,
        outcomes={},
        records={},
        source=lambda task: Source("nowhere.hdf5", "a" * 64),
        value=lambda trial, rung: None if rung is None else 10.0 + trial.position,
    )


def writers() -> int:
    """Return how many event files wait for more: each has a thread."""
    return sum(type(one).__name__ == "_AsyncWriterThread" for one in threading.enumerate())


def test_the_sinks_of_ended_runs_are_closed(search: Any) -> None:
    before = writers()
    dashboard = Dashboard(search)
    for trial in search.trials.values():
        dashboard.follow_trial(trial)
    dashboard.sync()
    assert writers() == before + 4
    search.outcomes["000000000000"] = Outcome("pruned", 0)
    dashboard.sync()
    assert writers() == before + 2
    dashboard.follow_trial(search.trials["000000000001"])  # it is followed already
    assert writers() == before + 2
    dashboard.close()
    assert writers() == before


def plugin_data(folder: Path, tag: str) -> Any:
    events = EventAccumulator(str(folder)).Reload()
    return HParamsPluginData.FromString(events.summary_metadata[tag].plugin_data.content)


def test_conditional_parameters_have_a_column_and_only_their_own_lines_a_value(
    search: Any,
) -> None:
    page = HParams(search, search.root / "tensorboard")
    search.outcomes = {
        "000000000000": Outcome("finished", 0),
        "000000000001": Outcome("failed", None),
    }
    score = {"last": {"normalised": 40.0}}
    for i, value in enumerate((40.0, 50.0)):
        search.records[str(i)] = {
            "purpose": "confirm", "state": "finished", "trial": "000000000000",
            "final": {"last": {"normalised": value}},
        }  # fmt: skip
    search.records["x"] = {
        "purpose": "search", "state": "finished", "trial": "000000000001", "final": score,
    }  # fmt: skip
    page.close()
    experiment = plugin_data(search.root / "tensorboard", "_hparams_/experiment").experiment
    columns = {info.name: info for info in experiment.hparam_infos}
    assert set(columns) == {*PARAMS[1], "task", "origin", "state"}
    interval = columns["policy.beta"].domain_interval
    assert (interval.min_value, interval.max_value) == (3.0, 60.0)  # 3: outside of the space
    sessions = []
    for trial in search.trials:
        folder = search.root / "tensorboard" / "point" / trial / "hparams"
        data = plugin_data(folder, "_hparams_/session_start_info").session_start_info
        events = EventAccumulator(str(folder)).Reload()
        scalars = {tag: events.Scalars(tag)[0].value for tag in events.Tags()["scalars"]}
        sessions.append((set(data.hparams), scalars))
    common = {"task", "origin", "state"}
    assert sessions == [
        ({*PARAMS[0], *common}, {"hparam/confirmed": 45.0, "hparam/last_rung": 10.0}),
        ({*PARAMS[1], *common}, {}),
    ]
