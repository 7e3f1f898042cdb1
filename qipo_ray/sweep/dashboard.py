"""The dashboards of a sweep: each run as it trains, and each configuration with its scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from qipo_ray.study.job_events import JobEvent
from qipo_ray.study.trial import Trial
from qipo_ray.sweep.confirm import ConfirmRun
from qipo_ray.sweep.hparams import HParams
from qipo_ray.sweep.search_state import SearchState
from qipo_ray.tracking.dispatcher import LogDispatcher
from qipo_ray.tracking.loggers import LoggedRun


class Dashboard:
    """Logs runs as ``<task>/<trial>/<purpose>-<seed>`` as events of their jobs come.

    All is derived from the store, and written anew for the runs that this driver follows. A run
    is closed when it ends, so that few are open however many there were.
    """

    def __init__(self, search: SearchState, services: Sequence[str] = ()) -> None:
        self.search = search
        self.dispatcher = LogDispatcher(search.root, services, partial(HParams, search))

    def follow_trial(self, trial: Trial) -> None:
        """Log the runs of a trial from now on."""
        for run in trial.runs(self.search.dataset_ref(trial.task)):
            logged = LoggedRun(self.search.root, (run.task, trial.id, f"search-{run.seed}"), run)
            self.dispatcher.follow(logged, lambda: trial.id in self.search.outcomes)

    def follow_confirm(self, runs: Iterable[ConfirmRun]) -> None:
        """Log the runs of the confirm step from now on."""
        for planned in runs:
            run, selected = planned.run, planned.selected
            name = selected.trial or selected.name.replace(" ", "-")
            path = (run.task, name, f"confirm-{run.seed}")
            logged = LoggedRun(self.search.root, path, run)
            self.dispatcher.follow(logged, partial(self._recorded, planned.record_id))

    def _recorded(self, record: str) -> bool:
        return record in self.search.records

    def take(self, events: Iterable[JobEvent]) -> None:
        """Take in events of jobs."""
        self.dispatcher.dispatch(events)

    def close(self) -> None:
        """Log the rest, in the time that there is."""
        self.dispatcher.close()
