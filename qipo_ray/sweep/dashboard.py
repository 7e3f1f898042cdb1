"""TensorBoard of a sweep: scalars per trial and seed, and HParams once per configuration."""

from __future__ import annotations

import shutil
import statistics
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from qipo_ray.sweep.confirm import Confirmation
from qipo_ray.sweep.search import Search
from qipo_ray.sweep.trial import Trial
from qipo_ray.train.job import Run, Snapshot
from qipo_ray.train.report import Report
from qipo_ray.train.tensorboard import RunMirror

SYNC_EVERY_S = 3.0


class Dashboard:
    """Mirrors runs into ``<root>/tensorboard/<task>/<trial>/<seed>`` as news of their jobs come.

    All is derived from the store, and written anew for the runs that this driver follows.
    """

    def __init__(self, search: Search) -> None:
        self.search = search
        self.root = search.root / "tensorboard"
        self.mirrors: dict[Path, RunMirror] = {}
        self.places: dict[Snapshot, set[Path]] = {}
        self.changed: set[Path] = set()
        self.synced = time.monotonic()
        self._lock = threading.Lock()  # news come in a thread of their own

    def follow_trial(self, trial: Trial) -> None:
        """Mirror the runs of a trial from now on."""
        for run in trial.runs(self.search.source(trial.task)):
            self._follow(run, self.root / run.task / trial.id / f"search-{run.seed}")

    def follow_confirmations(self, runs: Iterable[Confirmation]) -> None:
        """Mirror the runs of the confirm step from now on."""
        for one in runs:
            name = one.choice.trial or one.choice.name.replace(" ", "-")
            self._follow(one.run, self.root / one.run.task / name / f"confirm-{one.run.seed}")

    def _follow(self, run: Run, folder: Path) -> None:
        with self._lock:
            if folder in self.mirrors:
                return
            self.mirrors[folder] = RunMirror(folder, run, self.search.results)
            self.changed.add(folder)
            for job in run.jobs:
                self.places.setdefault(job.snapshot, set()).add(folder)

    def heard(self, reports: Iterable[Report]) -> None:
        """Take in news, and write what changed every few seconds."""
        with self._lock:
            for report in reports:
                self.changed |= self.places.get(report.snapshot, set())
        if time.monotonic() - self.synced > SYNC_EVERY_S:
            self.sync()

    def sync(self) -> None:
        """Write what changed since the last time."""
        with self._lock:
            for folder in self.changed:
                self.mirrors[folder].sync()
            self.changed = set()
        self.synced = time.monotonic()

    def close(self) -> None:
        """Write all and close the files."""
        for mirror in self.mirrors.values():
            mirror.close()
        self.mirrors = {}

    def write_hparams(self) -> None:
        """Write each configuration with its confirmed mean, or its value at the last rung."""
        confirmed = _confirmed(self.search.records.values())
        for trial in self.search.trials.values():
            value, which = confirmed.get(trial.id), "hparam/confirmed"
            if value is None:
                outcome = self.search.outcomes.get(trial.id)
                value = self.search.value(trial, outcome.rung) if outcome else None
                which = "hparam/last_rung"
            if value is not None:
                self._write(trial, which, value)

    def _write(self, trial: Trial, which: str, value: float) -> None:
        folder = self.root / trial.task / trial.id / "hparams"
        shutil.rmtree(folder, ignore_errors=True)
        writer = SummaryWriter(str(folder))
        settings = {**trial.params, "origin": trial.origin}
        files: Any = writer.file_writer
        for summary in hparams(settings, {"hparam/score": value, which: value}):
            files.add_summary(summary)
        for tag in ("hparam/score", which):
            writer.add_scalar(tag, value, 0)
        writer.close()


def _confirmed(records: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Return the mean confirmed score by trial."""
    scores: dict[str, list[float]] = {}
    for record in records:
        if record["purpose"] == "confirm" and record["state"] == "finished" and record["trial"]:
            scores.setdefault(record["trial"], []).append(record["final"]["last"]["normalised"])
    return {trial: statistics.fmean(values) for trial, values in scores.items()}
