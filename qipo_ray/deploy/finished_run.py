"""Finished runs, read from a record's file or from a results folder."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from qipo_ray.agent import State
from qipo_ray.config import Config, from_dict, stage_updates
from qipo_ray.config import use_method as use_method  # for `load_policy`
from qipo_ray.data.tasks import Task
from qipo_ray.errors import UserError
from qipo_ray.leaderboard.best import best_records
from qipo_ray.store.records import RECORDS, read_records
from qipo_ray.study.job import CheckpointRef
from qipo_ray.study.task_file import kept_task
from qipo_ray.train.job_store import JobStore

EXPORTED = {".onnx": "onnxruntime.InferenceSession", ".pt2": "torch.export.load"}


@dataclass(frozen=True)
class FinishedRun:
    """A finished run: its record, and the results folder that holds its snapshots."""

    root: Path
    record: dict[str, Any]

    @cached_property
    def config(self) -> Config:
        """The configuration; ``UserError`` if this version cannot read it."""
        return from_dict(self.record["config"], f"record {self.record['id']}")

    @cached_property
    def task(self) -> Task:
        """The task, a user's own one as the folder keeps it; ``UserError`` if it does not."""
        return kept_task(self.root, self.record["task"])

    def state(self, config: Config | None = None) -> State:
        """Return the final policy's state, to act as recorded, or as ``config`` says.

        ``UserError`` if its snapshot, or another that it needs to act, is gone or damaged.
        """
        keys, config = self.record["jobs"], config or self.config
        store, lengths = JobStore(self.root), stage_updates(self.config)
        final = CheckpointRef("policy", keys["policy"], self.record["reached"]["updates"])
        refs = (CheckpointRef(stage, keys[stage], n) for stage, n in lengths.items())
        return store.acting(config, store.state(final), refs)


def finished_runs(path: Path) -> list[FinishedRun]:
    """Return the finished runs of a results folder, sorted by id, or that of a record's file.

    ``UserError`` if there is none, or if the path is neither.
    """
    if path.is_file():
        return [_from_file(path)]
    folder = path / "records"
    if not folder.is_dir():
        below = sorted(str(records.parent) for records in path.glob("*/records"))
        hint = f"; there are {', '.join(below)}" if below else ""
        raise UserError(f"no results folder {path}: it has no records/{hint}")
    root = path.resolve()
    records = read_records(folder)
    runs = [FinishedRun(root, record) for record in records if record["state"] == "finished"]
    if not runs:
        raise UserError(f"no finished run in {path}")
    return runs


def only_run(path: Path) -> FinishedRun:
    """Return the run of a record's file, or the one finished run of a results folder."""
    runs = finished_runs(path)
    if len(runs) > 1:
        records = [run.record for run in runs]
        labels = [f"{record['id']} ({record['task']} seed {record['seed']})" for record in records]
        more = f" and {len(labels) - 5} more" if len(labels) > 5 else ""
        raise UserError(
            f"{path} holds {len(runs)} finished runs: {', '.join(labels[:5])}{more}; "
            f"name one as {path / 'records' / 'ID.json'}, or ask for the best"
        )
    return runs[0]


def best_run(path: Path, task: str | None = None, method: str | None = None) -> FinishedRun:
    """Return the best run of the best configuration that a results folder reports.

    See ``leaderboard.best``.
    """
    runs = {run.record["id"]: run for run in finished_runs(path)}
    best, *_ = best_records([run.record for run in runs.values()], path, task, method)
    return runs[best["id"]]


def best_wanted(
    path: Path, best: bool, task: str | None, method: str | None
) -> FinishedRun | None:
    """Return the best run of a folder if it is asked for; ``UserError`` for half a question."""
    if best:
        return best_run(path, task, method)
    for name, value in (("task", task), ("method", method)):
        if value is not None:
            raise UserError(
                f"{name} {value!r} says which best run is wanted: add --best (best=True)"
            )
    return None


def load_record(path: Path) -> dict[str, Any]:
    """Return the record in a file; ``UserError`` if it is no sound one."""
    try:
        return RECORDS.read(path)
    except OSError as problem:
        raise UserError(f"{path}: {problem.strerror}; expected a record's file") from problem
    except ValueError as problem:
        raise UserError(f"{path}: not a valid record ({problem})") from problem


def _from_file(path: Path) -> FinishedRun:
    """Return the run whose record is the file ``<results>/records/<id>.json``."""
    if path.suffix in EXPORTED:
        raise UserError(
            f"{path} is an exported policy: {EXPORTED[path.suffix]} runs it; expected a record "
            "file <results>/records/<id>.json or a results folder"
        )
    record = load_record(path)
    if record["state"] != "finished":
        raise UserError(
            f"{path}: the run {record['state']} ({record['reason']}); only finished runs have a "
            "last policy"
        )
    folder = path.resolve().parent
    if folder.name != "records":
        raise UserError(
            f"{path} does not lie in <results>/records/: the results folder around a record "
            "holds its policy"
        )
    return FinishedRun(folder.parent, record)
