"""How far a sweep has come and when it will end, reckoned from what its jobs have cost so far."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from qipo_ray.config import method_of
from qipo_ray.study.job import CheckpointRef, Job
from qipo_ray.study.job_events import JobEvent
from qipo_ray.sweep.search_state import SearchState

OVERHEAD = 1.25  # scoring, saving and waiting, over the seconds of training alone


class SweepProgress:
    """Counts ended jobs and their seconds, and expects the rest to cost the same.

    Before the confirm step is known, it is taken to be as many runs as it can be.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.seconds: dict[CheckpointRef, float] = {}  # of ended jobs
        self.confirming: set[CheckpointRef] | None = None

    def take(self, events: Iterable[JobEvent]) -> None:
        """Take in events of jobs."""
        for event in events:
            if event.kind in ("finished", "dropped"):
                self.seconds[event.snapshot] = event.seconds

    def begin_confirm(self, jobs: Sequence[Job]) -> None:
        """Take in the jobs of the confirm step."""
        self.confirming = {job.snapshot for job in jobs}

    def seconds_left(self, search: SearchState) -> float | None:
        """Return the expected wall seconds to the end; None until every stage has been seen."""
        means = self._means(method_of(search.spec.base).stages)
        if means is None:
            return None
        if self.confirming is not None:
            left = [s for s in self.confirming if s not in self.seconds]
            work = sum(means[s.stage] for s in left)
        else:
            trials = search.trials_left + len(search.trials) - len(search.outcomes)
            work = trials * len(search.spec.search_seeds) * means["policy"]
            work += self._expected_runs(search) * sum(means.values())
        return OVERHEAD * work / self.slots

    def _means(self, stages: Sequence[str]) -> dict[str, float] | None:
        means = {}
        for stage in stages:
            seconds = [value for ref, value in self.seconds.items() if ref.stage == stage]
            if not seconds:
                return None
            means[stage] = statistics.fmean(seconds)
        return means

    def _expected_runs(self, search: SearchState) -> int:
        spec = search.spec
        configurations = 2 * spec.top + (spec.paper is not None) + len(spec.baselines)
        return configurations * len(spec.tasks) * len(spec.report_seeds)

    def share(self, search: SearchState) -> float:
        """Return the share of trials and confirmed runs that have ended, 0 to 1."""
        trials = search.spec.trials * len(search.spec.tasks)
        runs = self._expected_runs(search)
        ended = len(search.outcomes)
        if self.confirming is not None:
            policies = [s for s in self.confirming if s.stage == "policy"]
            runs = max(1, len(policies))
            confirmed = sum(s in self.seconds for s in policies)
            return (trials + confirmed) / (trials + runs)
        return ended / (trials + runs)
