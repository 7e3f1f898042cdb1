"""Services beside TensorBoard: really written without a network, and never in the way."""

from __future__ import annotations

import logging
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from qipo_ray.config import Config
from qipo_ray.errors import UserError
from qipo_ray.train import sinks
from qipo_ray.train.job import Run
from qipo_ray.train.sinks import Row, Shown, Sink, open_sinks, read_services

ROWS = [
    Row(100, 100, {"behaviour/loss": 2.0}),
    Row(200, 200, {"behaviour/loss": 1.0}),
    Row(0, 200, {"score/normalised": 5.0}),
    Row(100, 500, {"policy/ess": 3.0}),
]


@pytest.fixture
def shown(configure: Callable[..., Config], tmp_path: Path) -> Shown:
    run = Run("point", configure(), 7, "nowhere.hdf5", "a" * 64)
    return Shown(tmp_path, ("point", "tiny", "seed-7"), run)


def test_names_are_checked() -> None:
    assert read_services(None) == () == read_services("")
    with pytest.raises(UserError, match=r"--log wanb \(did you mean 'wandb'\?\): expected wandb"):
        read_services("wanb")


def test_a_service_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> ModuleType:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(sinks, "import_module", missing)
    with pytest.raises(UserError, match=r"--log mlflow needs the extra: pip install 'qipo_ray\["):
        read_services("mlflow")


class Broken:
    """A service that goes away after the first rows."""

    class Away(Exception):
        """What it raises."""

    written = 0

    @staticmethod
    def failures() -> tuple[type[Exception], ...]:
        return (Broken.Away,)

    @staticmethod
    def look() -> None:
        raise Broken.Away("no\nanswer")

    @staticmethod
    def open_sink(shown: Shown) -> Sink:
        return Broken()

    def write(self, rows: Sequence[Row]) -> None:
        Broken.written += 1
        if Broken.written > 1:
            raise Broken.Away("connection lost")

    def close(self) -> None:
        raise AssertionError("closed though it is away")


def test_a_service_that_goes_away_is_a_warning(
    shown: Shown, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sinks, "import_module", lambda name: Broken)
    with pytest.raises(UserError, match="--log mlflow: no answer"):
        read_services("mlflow")
    _, sink = open_sinks(["mlflow"], shown)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            sink.write(ROWS)
        sink.close()
    assert Broken.written == 2
    assert caplog.messages == ["mlflow shows this run no further: connection lost"]


def wandb_records(file: Path) -> Iterator[bytes]:
    """Yield the records of an offline run: a LevelDB log after a header of seven bytes."""
    raw, at, parts = file.read_bytes(), 7, b""
    assert raw[:4] == b":W&B"
    while at < len(raw):
        if 32768 - at % 32768 < 7:  # the rest of a block that holds no further header
            at += 32768 - at % 32768
            continue
        length, kind = struct.unpack_from("<HB", raw, at + 4)
        parts += raw[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield parts
            parts = b""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of its own dependencies
def test_wandb_offline_holds_the_run_once(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="the extra `wandb` is not installed")
    from wandb.proto import wandb_internal_pb2 as pb

    monkeypatch.setenv("WANDB_MODE", "offline")
    assert read_services("wandb") == ("wandb",)
    for _ in range(2):  # the second time as after a resume, which finds another second's folder
        time.sleep(1)
        tensorboard, sink = open_sinks(["wandb"], shown)
        sink.write(ROWS[:2])
        sink.write(ROWS[2:])
        sink.close()
        tensorboard.close()
    (file,) = (shown.root / "wandb").glob("offline-run-*/*.wandb")
    found: dict[int, dict[str, str]] = {}
    settings: dict[str, str] = {}
    for data in wandb_records(file):
        record: Any = pb.Record.FromString(data)
        if record.WhichOneof("record_type") == "run":
            assert record.run.run_group == "point/tiny"
            settings |= {one.key: one.value_json for one in record.run.config.update}
        if record.WhichOneof("record_type") == "history":
            items = {(i.key or "/".join(i.nested_key)): i.value_json for i in record.history.item}
            assert record.history.step.num not in found
            found[record.history.step.num] = items
    assert list(found) == [100, 200, 500]
    assert float(found[200]["behaviour/loss"]) == 1.0
    assert float(found[200]["score/normalised"]) == 5.0
    assert float(found[500]["policy/ess"]) == 3.0
    assert settings["seed"] == "7" and settings["behaviour.width"] == "16"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of its own dependencies
def test_mlflow_in_the_results_folder_holds_the_run_once(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow", reason="the extra `mlflow` is not installed")
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert read_services("mlflow") == ("mlflow",)
    for _ in range(2):  # the second time as after a resume
        tensorboard, sink = open_sinks(["mlflow"], shown)
        sink.write(ROWS[:2])
        sink.write(ROWS[2:])
        sink.close()
        tensorboard.close()
    client = MlflowClient(f"sqlite:///{shown.root}/mlflow.db")
    experiment = client.get_experiment_by_name("qipo_ray")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    history = client.get_metric_history(run.info.run_id, "behaviour/loss")
    assert [(one.step, one.value) for one in history] == [(100, 2.0), (200, 1.0)]
    assert run.data.params["policy.rounds"] == "2" and run.info.run_name == "point/tiny/seed-7"
    assert run.info.status == "FINISHED"
