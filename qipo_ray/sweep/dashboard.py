"""The dashboards of a sweep: each run as it trains, and each configuration with its scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from qipo_ray.study.job_events import JobEvent
from qipo_ray.study.trial import Trial
from qipo_ray.sweep.confirm import Confirmation
from qipo_ray.sweep.hparams import HParams
from qipo_ray.sweep.search_state import SearchState
from qipo_ray.tracking.dispatcher import LogDispatcher
from qipo_ray.tracking.loggers import LoggedRun


class Dashboard:
    """Shows runs as ``<task>/<trial>/<purpose>-<seed>`` as news of their jobs come.

    All is derived from the store, and written anew for the runs that this driver follows. A run
    is closed when it ends, so that few are open however many there were.
    """

    def __init__(self, search: SearchState, services: Sequence[str] = ()) -> None:
        self.search = search
        self.relays = LogDispatcher(search.root, services, partial(HParams, search))

    def follow_trial(self, trial: Trial) -> None:
        """Show the runs of a trial from now on."""
        for run in trial.runs(self.search.source(trial.task)):
            shown = LoggedRun(self.search.root, (run.task, trial.id, f"search-{run.seed}"), run)
            self.relays.follow(shown, lambda: trial.id in self.search.outcomes)

    def follow_confirmations(self, runs: Iterable[Confirmation]) -> None:
        """Show the runs of the confirm step from now on."""
        for one in runs:
            name = one.choice.trial or one.choice.name.replace(" ", "-")
            place = (one.run.task, name, f"confirm-{one.run.seed}")
            shown = LoggedRun(self.search.root, place, one.run)
            self.relays.follow(shown, partial(self._recorded, one.record_id))

    def _recorded(self, record: str) -> bool:
        return record in self.search.records

    def heard(self, reports: Iterable[JobEvent]) -> None:
        """Take in news of jobs."""
        self.relays.heard(reports)

    def close(self) -> None:
        """Show the rest, in the time that there is."""
        self.relays.close()
