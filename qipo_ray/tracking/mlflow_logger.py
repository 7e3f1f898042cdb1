"""The logger for MLflow: a run with its settings as parameters."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qipo_ray.tracking.loggers import LoggedRun, LogRow

EXPERIMENT = "qipo_ray"
TAG = "qipo_run"
BATCH = 1000  # metrics in one call; the server takes no more


def check() -> None:
    """Raise if there is no mlflow, or a server was named and does not answer."""
    from mlflow import MlflowClient

    if os.environ.get("MLFLOW_TRACKING_URI"):
        MlflowClient().search_experiments(max_results=1)


def shutdown() -> None:
    """Do nothing: no part of it outlives the process."""


def _client(root: Path) -> Any:
    """Return a client of ``MLFLOW_TRACKING_URI``, else of a database in the results folder."""
    from mlflow import MlflowClient

    uri = os.environ.get("MLFLOW_TRACKING_URI")
    if not uri and "?" in str(root):
        raise ValueError(f"it keeps no data base below {root}: '?' ends a path in its addresses")
    return MlflowClient(uri or f"sqlite:///{root}/mlflow.db")


class MLflowLogger:
    """A run in the experiment ``MLFLOW_EXPERIMENT_NAME`` or ``qipo_ray``.

    After a resume the run is deleted there and made anew, so that each step is logged once.
    """

    def __init__(self, logged_run: LoggedRun) -> None:
        from mlflow.entities import Param

        self.client = _client(logged_run.root)
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
        experiment = self.client.get_experiment_by_name(name)
        identity = experiment.experiment_id if experiment else self.client.create_experiment(name)
        query = f"tags.{TAG} = '{logged_run.identity}'"
        for old in self.client.search_runs([identity], query):
            self.client.delete_run(old.info.run_id)
        tags = {TAG: logged_run.identity, "task": logged_run.run.task}
        run = self.client.create_run(identity, tags=tags, run_name="/".join(logged_run.path))
        self.run_id = run.info.run_id
        params = [Param(legal_name(key), str(value)) for key, value in logged_run.settings.items()]
        self.client.log_batch(self.run_id, params=params)

    def write(self, rows: Sequence[LogRow]) -> None:
        """Log rows, each tag at its stage's updates."""
        from mlflow.entities import Metric

        now_ms = int(1000 * time.time())
        metrics = [
            Metric(legal_name(tag), value, now_ms, row.updates)
            for row in rows
            for tag, value in row.plain.items()
        ]
        for start in range(0, len(metrics), BATCH):
            self.client.log_batch(self.run_id, metrics=metrics[start : start + BATCH])

    def close(self) -> None:
        """Mark the run as finished."""
        self.client.set_terminated(self.run_id)


def legal_name(name: str) -> str:
    """Return a name with ``_`` for each sign that MLflow refuses."""
    return re.sub(r"[^\w./ -]", "_", name)


make_logger = MLflowLogger
