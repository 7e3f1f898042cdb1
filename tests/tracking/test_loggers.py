"""Services beside TensorBoard: really written without a network, and never in the way."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qipo_ray.config import Config
from qipo_ray.errors import UserError
from qipo_ray.study.job import Run
from qipo_ray.tracking import loggers
from qipo_ray.tracking.loggers import LoggedRun, LogRow, find_service, read_services
from qipo_ray.tracking.mlflow_logger import MLflowLogger, allowed

ROWS = [
    LogRow(100, 100, {"behaviour/loss": 2.0}),
    LogRow(200, 200, {"behaviour/loss": 1.0}),
    LogRow(0, 200, {"score/normalised": 5.0}),
    LogRow(100, 500, {"policy/ess": 3.0, "policy/support_q": 9.0}),
]


@pytest.fixture
def shown(configure: Callable[..., Config], tmp_path: Path) -> LoggedRun:
    run = Run("point", configure(), 7, "nowhere.hdf5", "a" * 64)
    return LoggedRun(tmp_path, ("point", "tiny", "seed-7"), run)


def test_names_are_checked() -> None:
    assert read_services(None) == () == read_services("")
    with pytest.raises(UserError, match=r"--log wanb \(did you mean 'wandb'\?\): expected wandb"):
        read_services("wanb")


class Service:
    """A service's module whose look raises something or takes for ever."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error
        self.over = threading.Event()

    def look(self) -> None:
        if self.error is not None:
            raise self.error
        self.over.wait()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            ModuleNotFoundError("No module named 'mlflow'"),
            "needs the extra: pip install 'qipo_ray",
        ),
        (RuntimeError("no\nlogin"), "--log mlflow: no login$"),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused$"),
        (SystemExit(), "--log mlflow: SystemExit$"),
        (None, "--log mlflow: no answer in 0 s$"),
    ],
)
def test_a_service_that_cannot_be_used_is_refused_before_anything_is_trained(
    error: BaseException | None, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service(error)
    monkeypatch.setattr(loggers, "import_module", lambda name: service)
    if error is None:
        monkeypatch.setattr(loggers, "LOOK_S", 0.01)
    with pytest.raises(UserError, match=words):
        read_services("mlflow")
    service.over.set()


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
def test_wandb_offline_holds_the_run_once(
    shown: LoggedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb", reason="the extra `wandb` is not installed")
    from wandb.proto import wandb_internal_pb2 as pb

    monkeypatch.setenv("WANDB_MODE", "offline")
    assert read_services("wandb") == ("wandb",)
    for _ in range(2):  # the second time as after a resume, which finds another second's folder
        time.sleep(1)
        logger = find_service("wandb").make_logger(shown)
        logger.write(ROWS[:2])
        logger.write(ROWS[2:])
        logger.close()
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
    assert (
        "policy/support_q" not in found[500]
    )  # a mean of Q, without a word that it is no success
    assert settings["seed"] == "7" and settings["behaviour.width"] == "16"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of its own dependencies
def test_mlflow_in_the_results_folder_holds_the_run_once(
    shown: LoggedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow", reason="the extra `mlflow` is not installed")
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert read_services("mlflow") == ("mlflow",)
    for _ in range(2):  # the second time as after a resume
        logger = find_service("mlflow").make_logger(shown)
        logger.write(ROWS[:2])
        logger.write(ROWS[2:])
        logger.close()
    client = MlflowClient(f"sqlite:///{shown.root}/mlflow.db")
    experiment = client.get_experiment_by_name("qipo_ray")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    history = client.get_metric_history(run.info.run_id, "behaviour/loss")
    assert [(one.step, one.value) for one in history] == [(100, 2.0), (200, 1.0)]
    assert set(run.data.metrics) == {"behaviour/loss", "score/normalised", "policy/ess"}
    assert run.data.params["policy.rounds"] == "2" and run.info.run_name == "point/tiny/seed-7"
    assert run.info.status == "FINISHED"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of its own dependencies
def test_mlflow_takes_names_that_it_would_refuse(
    shown: LoggedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder and a run with quotes, and a tag with signs that MLflow has no use for."""
    pytest.importorskip("mlflow", reason="the extra `mlflow` is not installed")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    root = shown.root / "it's `100%` #1"
    root.mkdir()
    odd = replace(shown, root=root, place=("point", "a \"b\" = 'c'", "seed;7"))
    for _ in range(2):  # the second time as after a resume, which looks for the first
        logger = MLflowLogger(odd)
        logger.write([LogRow(100, 100, {"policy/ess (95 %) = é": 2.0})])
        logger.close()
    experiment = logger.client.get_experiment_by_name("qipo_ray")
    (run,) = logger.client.search_runs([experiment.experiment_id])
    assert run.info.run_name == "point/a \"b\" = 'c'/seed;7"
    assert run.data.metrics == {allowed("policy/ess (95 %) = é"): 2.0}
    assert allowed("policy/ess (95 %) = é") == "policy/ess _95 __ _ é"
    assert [path.name for path in root.iterdir()] == ["mlflow.db"]
    with pytest.raises(ValueError, match="it keeps no data base below .*'\\?' ends a path"):
        MLflowLogger(replace(shown, root=root / "what?"))
