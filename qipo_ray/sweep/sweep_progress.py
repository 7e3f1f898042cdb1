"""How far a sweep has come and when it will end, by the seconds that its updates have cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from qipo_ray.config import method_of
from qipo_ray.config.run_methods import stage_updates
from qipo_ray.study.job import CheckpointRef, Job
from qipo_ray.study.job_events import JobEvent
from qipo_ray.sweep.search_state import SearchState

OVERHEAD = 1.25  # scoring, saving and waiting, over the seconds of training alone


class SweepProgress:
    """Counts updates and their seconds by stage, and expects the rest to cost the same.

    Trials that are to come are as long as those that have ended, and share what they build on.
    Before the confirm step is known, it is taken to be as many runs as it can be, each of its own.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.reached: dict[CheckpointRef, JobEvent] = {}  # the newest event of each job
        self.confirming: set[CheckpointRef] | None = None
        self._ahead = 0.0  # how many times as many runs the race may ask for after these
        self._share = 0.0

    def take(self, events: Iterable[JobEvent]) -> None:
        """Take in events of jobs."""
        self.reached.update((event.snapshot, event) for event in events)

    def begin_confirm(self, jobs: Sequence[Job], ahead: float = 0.0) -> None:
        """Take in the jobs of the confirm step, or of a round of its race.

        At most ``ahead`` times as many follow.
        """
        self.confirming, self._ahead = {job.snapshot for job in jobs}, ahead

    def seconds_left(self, search: SearchState) -> float | None:
        """Return the expected wall seconds to the end; None until every stage has been seen."""
        work = self._work_left(search)
        return None if work is None else OVERHEAD * work / self.slots

    def share(self, search: SearchState) -> float:
        """Return the share of the work that is done, 0 to 1; it never falls."""
        left = self._work_left(search)
        done = sum(event.seconds for event in self.reached.values())
        if left is not None and done > 0:
            self._share = max(self._share, done / (done + left))
        return self._share

    def running(self) -> list[tuple[CheckpointRef, int]]:
        """Return the jobs in slots, each with its updates so far."""
        return [(r, event.updates) for r, event in self.reached.items() if not event.leaves_slot]

    def _work_left(self, search: SearchState) -> float | None:
        """Return the expected seconds of training to the end; None until all stages were seen."""
        pace = self._pace()
        lengths = stage_updates(search.spec.base)
        if not pace.keys() >= set(method_of(search.spec.base).stages):
            return None
        running = sum(pace[ref.stage] * (ref.updates - updates) for ref, updates in self.running())
        if self.confirming is not None:
            waiting = self.confirming - self.reached.keys()
            if not pace.keys() >= {ref.stage for ref in self.confirming}:  # a baseline has others
                return None
            ahead = self._ahead * sum(pace[ref.stage] * ref.updates for ref in self.confirming)
            return running + sum(pace[ref.stage] * ref.updates for ref in waiting) + ahead
        policies = [event for ref, event in self.reached.items() if ref.stage == "policy"]
        ended = [event.updates for event in policies if event.leaves_slot]
        mean = sum(ended) / len(ended) if ended else lengths["policy"]
        jobs = search.trials_left * len(search.spec.search_seeds) - (len(policies) - len(ended))
        run = sum(pace[stage] * length for stage, length in lengths.items())
        return running + max(0, jobs) * mean * pace["policy"] + self._confirmed(search) * run

    def _pace(self) -> dict[str, float]:
        """Return the seconds of an update of every stage that has been seen."""
        updates: dict[str, int] = {}
        seconds: dict[str, float] = {}
        for ref, event in self.reached.items():
            updates[ref.stage] = updates.get(ref.stage, 0) + event.updates
            seconds[ref.stage] = seconds.get(ref.stage, 0.0) + event.seconds
        return {stage: seconds[stage] / count for stage, count in updates.items() if count}

    def _confirmed(self, search: SearchState) -> int:
        """Return how many runs the confirm step can have."""
        spec = search.spec
        configurations = 2 * spec.top + (spec.paper is not None) + len(spec.baselines)
        return configurations * len(spec.tasks) * (len(spec.report_seeds) + len(spec.race))
