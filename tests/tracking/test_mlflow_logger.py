"""The MLflow logger: a real run in a database of the results folder."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qipo_ray.tracking.loggers import LoggedRun, LogRow, find_service, parse_services
from qipo_ray.tracking.mlflow_logger import MLflowLogger, legal_name


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of its own dependencies
def test_mlflow_in_the_results_folder_holds_the_run_once(
    logged_run: LoggedRun, rows: list[LogRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow", reason="the extra `mlflow` is not installed")
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert parse_services("mlflow") == ("mlflow",)
    for _ in range(2):  # the second time as after a resume
        logger = find_service("mlflow").make_logger(logged_run)
        logger.write(rows[:2])
        logger.write(rows[2:])
        logger.close()
    client = MlflowClient(f"sqlite:///{logged_run.root}/mlflow.db")
    experiment = client.get_experiment_by_name("qipo_ray")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    history = client.get_metric_history(run.info.run_id, "behaviour/loss")
    assert [(metric.step, metric.value) for metric in history] == [(100, 2.0), (200, 1.0)]
    assert set(run.data.metrics) == {"behaviour/loss", "score/normalised", "policy/ess"}
    assert run.data.params["policy.rounds"] == "2" and run.info.run_name == "point/tiny/seed-7"
    assert run.info.status == "FINISHED"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of its own dependencies
def test_mlflow_takes_names_that_it_would_refuse(
    logged_run: LoggedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder and a run with quotes, and a tag with signs that MLflow has no use for."""
    pytest.importorskip("mlflow", reason="the extra `mlflow` is not installed")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    root = logged_run.root / "it's `100%` #1"
    root.mkdir()
    odd = replace(logged_run, root=root, path=("point", "a \"b\" = 'c'", "seed;7"))
    for _ in range(2):  # the second time as after a resume, which looks for the first
        logger = MLflowLogger(odd)
        logger.write([LogRow(100, 100, {"policy/ess (95 %) = é": 2.0})])
        logger.close()
    experiment = logger.client.get_experiment_by_name("qipo_ray")
    (run,) = logger.client.search_runs([experiment.experiment_id])
    assert run.info.run_name == "point/a \"b\" = 'c'/seed;7"
    assert run.data.metrics == {legal_name("policy/ess (95 %) = é"): 2.0}
    assert legal_name("policy/ess (95 %) = é") == "policy/ess _95 __ _ é"
    assert [path.name for path in root.iterdir()] == ["mlflow.db"]
    with pytest.raises(ValueError, match="it keeps no data base below .*'\\?' ends a path"):
        MLflowLogger(replace(logged_run, root=root / "what?"))
