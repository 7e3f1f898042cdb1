"""The dashboards of a sweep: each run as it trains, and each configuration with its scores."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from qipo_ray.sweep.confirm import Confirmation
from qipo_ray.sweep.hparams import HParams
from qipo_ray.sweep.search import Search
from qipo_ray.sweep.trial import Trial
from qipo_ray.train.job import Run, Snapshot
from qipo_ray.train.mirror import RunMirror
from qipo_ray.train.report import Report
from qipo_ray.train.sinks import Shown, open_sinks

SYNC_EVERY_S = 3.0


@dataclass(frozen=True)
class _Followed:
    """A mirror, and whether its run has ended."""

    mirror: RunMirror
    ended: Callable[[], bool]


class Dashboard:
    """Mirrors runs into ``<root>/tensorboard/<task>/<trial>/<seed>`` as news of their jobs come.

    All is derived from the store, and written anew for the runs that this driver follows. The
    sinks of a run are closed when it ends, so that few are open however many there were.
    """

    def __init__(self, search: Search, services: Sequence[str] = ()) -> None:
        self.search, self.services = search, services
        self.hparams = HParams(search, search.root / "tensorboard")
        self.followed: dict[Path, _Followed] = {}
        self.places: dict[Snapshot, set[Path]] = {}
        self.changed: set[Path] = set()
        self.synced = time.monotonic()
        self._lock = threading.Lock()  # news come in a thread of their own

    def follow_trial(self, trial: Trial) -> None:
        """Mirror the runs of a trial from now on."""
        for run in trial.runs(self.search.source(trial.task)):
            place = (run.task, trial.id, f"search-{run.seed}")
            self._follow(run, place, lambda: trial.id in self.search.outcomes)

    def follow_confirmations(self, runs: Iterable[Confirmation]) -> None:
        """Mirror the runs of the confirm step from now on."""
        for one in runs:
            name = one.choice.trial or one.choice.name.replace(" ", "-")
            place = (one.run.task, name, f"confirm-{one.run.seed}")
            self._follow(one.run, place, partial(self._recorded, one.record_id))

    def _recorded(self, record: str) -> bool:
        return record in self.search.records

    def _follow(self, run: Run, place: tuple[str, ...], ended: Callable[[], bool]) -> None:
        shown = Shown(self.search.root, place, run)
        with self._lock:
            if shown.folder in self.followed:
                return
            mirror = RunMirror(run, self.search.results, open_sinks(self.services, shown))
            self.followed[shown.folder] = _Followed(mirror, ended)
            self.changed.add(shown.folder)
            for job in run.jobs:
                self.places.setdefault(job.snapshot, set()).add(shown.folder)

    def heard(self, reports: Iterable[Report]) -> None:
        """Take in news, and write what changed every few seconds."""
        with self._lock:
            for report in reports:
                self.changed |= self.places.get(report.snapshot, set())
        if time.monotonic() - self.synced > SYNC_EVERY_S:
            self.sync()

    def sync(self) -> None:
        """Write what changed since the last time, and close what has ended."""
        with self._lock:
            for folder in self.changed & self.followed.keys():
                self.followed[folder].mirror.sync()
            self.changed = set()
            for folder, one in list(self.followed.items()):
                if one.ended():
                    one.mirror.close()
                    del self.followed[folder]
            self.hparams.sync()
        self.synced = time.monotonic()

    def close(self) -> None:
        """Write all and close the files."""
        with self._lock:
            for one in self.followed.values():
                one.mirror.close()
            self.followed = {}
            self.hparams.close()
