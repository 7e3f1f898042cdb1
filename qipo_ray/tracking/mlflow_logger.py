"""MLflow: one run there for a run here, with its settings as parameters."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from qipo_ray.tracking.loggers import LoggedRun, LogRow

if TYPE_CHECKING:
    from pathlib import Path

EXPERIMENT = "qipo_ray"
TAG = "qipo_run"
BATCH = 1000  # metrics in one call; the server takes no more


def look() -> None:
    """Raise if there is no mlflow, or a server was named and does not answer."""
    from mlflow import MlflowClient

    if os.environ.get("MLFLOW_TRACKING_URI"):
        MlflowClient().search_experiments(max_results=1)


def leave() -> None:
    """Nothing: it leaves nothing behind."""


def make_logger(shown: LoggedRun) -> MLflowLogger:
    """Return the logger of a run."""
    return MLflowLogger(shown)


def _client(root: Path) -> Any:
    """Return a client of ``MLFLOW_TRACKING_URI``, else of a data base in the results folder."""
    from mlflow import MlflowClient

    named = os.environ.get("MLFLOW_TRACKING_URI")
    if not named and "?" in str(root):
        raise ValueError(f"it keeps no data base below {root}: '?' ends a path in its addresses")
    return MlflowClient(named or f"sqlite:///{root}/mlflow.db")


class MLflowLogger:
    """A run in the experiment ``MLFLOW_EXPERIMENT_NAME`` or ``qipo_ray``.

    After a resume the run there is deleted and made anew, so that each step stands in it once.
    """

    def __init__(self, shown: LoggedRun) -> None:
        from mlflow.entities import Param

        self.client = _client(shown.root)
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
        found = self.client.get_experiment_by_name(name)
        experiment = found.experiment_id if found else self.client.create_experiment(name)
        query = f"tags.{TAG} = '{shown.identity}'"
        for old in self.client.search_runs([experiment], query):
            self.client.delete_run(old.info.run_id)
        tags = {TAG: shown.identity, "task": shown.run.task}
        made = self.client.create_run(experiment, tags=tags, run_name="/".join(shown.place))
        self.run_id = made.info.run_id
        params = [Param(allowed(key), str(value)) for key, value in shown.settings.items()]
        self.client.log_batch(self.run_id, params=params)

    def write(self, rows: Sequence[LogRow]) -> None:
        """Log rows, each tag at its stage's updates."""
        for metrics in _batches(rows):
            self.client.log_batch(self.run_id, metrics=metrics)

    def close(self) -> None:
        """Mark the run as finished there."""
        self.client.set_terminated(self.run_id)


def allowed(name: str) -> str:
    """Return a name of which MLflow refuses no sign: others become ``_``."""
    return re.sub(r"[^\w./ -]", "_", name)


def _batches(rows: Sequence[LogRow]) -> Iterator[list[Any]]:
    from mlflow.entities import Metric

    at = int(1000 * time.time())
    metrics = [
        Metric(allowed(tag), value, at, row.updates)
        for row in rows
        for tag, value in row.plain.items()
    ]
    for start in range(0, len(metrics), BATCH):
        yield metrics[start : start + BATCH]
