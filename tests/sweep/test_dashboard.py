"""The dashboards of a sweep without a sweep: what is open, and a line per configuration."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import api_pb2
from tensorboard.plugins.hparams.backend_context import Context
from tensorboard.plugins.hparams.get_experiment import Handler as GetExperiment
from tensorboard.plugins.hparams.list_session_groups import Handler as ListGroups
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from qipo_ray.study.search_spec import SearchSpec
from qipo_ray.study.trial import DatasetRef, Trial, TrialOutcome, TrialState
from qipo_ray.sweep.dashboard import Dashboard
from qipo_ray.sweep.hparams import HParams
from qipo_ray.sweep.task_study import searched
from qipo_ray.tracking import dispatcher
from qipo_ray.tracking.loggers import LoggedRun
from qipo_ray.train.job_store import JobStore

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
def search(make_spec: Callable[..., SearchSpec], tmp_path: Path) -> Any:
    """What dashboards ask of a search, with two trials that have not ended."""
    spec = make_spec(SPACE)
    trials = {
        f"{i:012d}": Trial(
            f"{i:012d}", "point", i, "search", params, spec.base, "b" * 16, (0, 1), (100,), ""
        )
        for i, params in enumerate(PARAMS)
    }
    return SimpleNamespace(
        spec=spec,
        root=tmp_path,
        results=JobStore(tmp_path),
        trials=trials,
        outcomes={},
        records={},
        dataset_ref=lambda task: DatasetRef("nowhere.hdf5", "a" * 64),
        value=lambda trial, rung: None if rung is None else 10.0 + trial.position,
    )


def eventually(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_the_sinks_of_ended_runs_are_closed(search: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "SYNC_EVERY_S", 0.001)
    opened: list[str] = []
    closed: list[str] = []

    class Kept:
        def __init__(self, shown: LoggedRun) -> None:
            self.name = "/".join(shown.path[1:])
            opened.append(self.name)

        def close(self) -> None:
            closed.append(self.name)

    monkeypatch.setattr(dispatcher, "TensorBoardLogger", Kept)
    dashboard = Dashboard(search)
    first, second = search.trials.values()
    dashboard.follow_trial(first)
    dashboard.follow_trial(second)
    eventually(lambda: len(opened) == 4)
    search.outcomes[first.id] = TrialOutcome(TrialState.PRUNED, 0)
    eventually(lambda: len(closed) == 2)
    dashboard.follow_trial(second)  # it is followed already
    dashboard.close()
    runs = [f"{trial.id}/search-{seed}" for trial in (first, second) for seed in (0, 1)]
    assert opened == closed == runs


def plugin_data(folder: Path, tag: str) -> Any:
    events = EventAccumulator(str(folder)).Reload()
    return HParamsPluginData.FromString(events.summary_metadata[tag].plugin_data.content)


def test_conditional_parameters_have_a_column_and_only_their_own_lines_a_value(
    search: Any,
) -> None:
    page = HParams(search, search.root / "tensorboard")
    search.outcomes = {
        "000000000000": TrialOutcome(TrialState.FINISHED, 0),
        "000000000001": TrialOutcome(TrialState.FAILED, None),
    }
    score = {"last": {"normalised": 40.0}}
    for i, value in enumerate((40.0, 50.0)):
        search.records[str(i)] = {
            "purpose": "confirm", "state": "finished", "trial": "000000000000",
            "final": {"last": {"normalised": value}},
        }  # fmt: skip
    unscored = {"purpose": "confirm", "state": "diverged", "trial": "000000000001"}
    search.records["y"] = unscored | {"final": {"last": None}}
    search.records["z"] = unscored | {"state": "finished", "final": {"last": None}}
    no_number = {"last": {"normalised": None}}
    search.records["u"] = search.records["0"] | {"final": no_number}
    search.records["x"] = {
        "purpose": "search", "state": "finished", "trial": "000000000001", "final": score,
    }  # fmt: skip
    page.close()
    experiment = plugin_data(search.root / "tensorboard", "_hparams_/experiment").experiment
    columns = {info.name: info for info in experiment.hparam_infos}
    assert set(columns) == {*PARAMS[1], "task", "trial.origin", "trial.state"}
    interval = columns["policy.beta"].domain_interval
    assert (interval.min_value, interval.max_value) == (3.0, 60.0)  # 3: outside of the space
    sessions = []
    for trial in search.trials:
        folder = search.root / "tensorboard" / "point" / trial
        data = plugin_data(folder, "_hparams_/session_start_info").session_start_info
        events = EventAccumulator(str(folder)).Reload()
        scalars = {tag: events.Scalars(tag)[0].value for tag in events.Tags()["scalars"]}
        sessions.append((set(data.hparams), scalars))
    common = {"task", "trial.origin", "trial.state"}
    assert sessions == [
        ({*PARAMS[0], *common}, {"hparam/confirmed": 45.0, "hparam/last_rung": 10.0}),
        ({*PARAMS[1], *common}, {}),
    ]


class OwnReader:
    """TensorBoard's own answers on a folder, as its HParams page gets them."""

    def __init__(self, folder: Path) -> None:
        multiplexer = EventMultiplexer().AddRunsFromDirectory(str(folder)).Reload()
        provider = MultiplexerDataProvider(multiplexer, str(folder))
        self.context = Context(TBContext(data_provider=provider))

    def experiment(self) -> Any:
        """Return the description of all parameters and scores."""
        request = api_pb2.GetExperimentRequest()
        return GetExperiment(RequestContext(), self.context, "", request).run()

    def lines(self) -> dict[str, dict[str, Any]]:
        """Return what the page lists by trial, with every filter as wide as it goes."""
        request = api_pb2.ListSessionGroupsRequest(
            slice_size=100, allowed_statuses=[api_pb2.STATUS_UNKNOWN]
        )
        for info in self.experiment().hparam_infos:
            column = request.col_params.add(hparam=info.name)
            if info.HasField("domain_interval"):
                column.filter_interval.CopyFrom(info.domain_interval)
            else:
                column.filter_discrete.CopyFrom(info.domain_discrete)
        found = ListGroups(RequestContext(), self.context, "", request).run().session_groups
        return {
            group.name: {
                key: getattr(value, value.WhichOneof("kind"))
                for key, value in group.hparams.items()
            }
            for group in found
        }


def test_the_paper_s_form_outside_of_the_space_has_its_line(
    make_spec: Callable[..., SearchSpec], search: Any
) -> None:
    """The description is written before any trial is known; the page filters by it."""
    outside = "paper: {behaviour.width: 32, behaviour.network: unet, policy.beta: 3}\n"
    search.spec = make_spec(SPACE + "  behaviour.predicts: {choice: [velocity]}\n" + outside)
    params = searched(search.spec, search.spec.paper)
    assert params["policy.beta"] == 3 and params["behaviour.predicts"] == "auto"
    trials, search.trials = search.trials, {}
    page = HParams(search, search.root / "tensorboard")
    (paper, other) = trials.values()
    search.trials = {
        paper.id: replace(paper, params=params, origin="paper"),
        other.id: replace(other, params=PARAMS[1] | {"policy.beta": 60.0,
                                                     "behaviour.predicts": "velocity"}),
    }  # fmt: skip
    search.outcomes = {trial: TrialOutcome(TrialState.FINISHED, 0) for trial in trials}
    page.close()
    lines = OwnReader(search.root / "tensorboard").lines()
    assert set(lines) == set(trials)
    assert lines[paper.id]["policy.beta"] == 3 and lines[paper.id]["trial.origin"] == "paper"
    assert "behaviour.blocks" not in lines[paper.id] and lines[other.id]["behaviour.blocks"] == 2
