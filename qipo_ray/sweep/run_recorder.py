"""Records of ended runs: the one place that writes them, whoever trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qipo_ray.data.transitions import Dataset
from qipo_ray.store.files import write_bytes
from qipo_ray.store.records import write_record
from qipo_ray.study.job import Run
from qipo_ray.study.task_file import kept_path
from qipo_ray.study.trial import TrialState
from qipo_ray.train.job_store import JobStore
from qipo_ray.train.run_record import RunContext, build_record, record_id


@dataclass(frozen=True)
class PlannedRun:
    """A run, and why it is made."""

    run: Run
    context: RunContext

    @property
    def record_id(self) -> str:
        """The id of its record."""
        return record_id(self.run, self.context)


class RunRecorder:
    """Writes the records of a results folder, and holds those that are there."""

    def __init__(
        self, root: Path, datasets: Mapping[str, Dataset], records: Mapping[str, dict[str, Any]]
    ) -> None:
        """Take the data sets by task, and the records by id that the folder has.

        The documents of users' own tasks are kept beside them: the folder can be moved.
        """
        self.root, self.datasets = root, datasets
        self.records = dict(records)
        self.job_store = JobStore(root)
        for task in (dataset.own_task for dataset in datasets.values()):
            if task is not None and task.own is not None:
                write_bytes(kept_path(root, task.id), task.own.document.encode())

    def write(
        self,
        planned: PlannedRun,
        state: TrialState = TrialState.FINISHED,
        reason: str | None = None,
        reached: int | None = None,
        rung: int | None = None,
    ) -> dict[str, Any]:
        """Return the record of a run that ended, once it is durable.

        ``reached`` are the policy updates it came to, its full length unless said otherwise.
        """
        record = build_record(
            planned.run,
            self.datasets[planned.run.task],
            self.job_store,
            planned.context,
            state=state.value,
            reason=reason,
            reached=reached,
            rung=rung,
        )
        write_record(self.root, record)
        self.records[record["id"]] = record
        return record
