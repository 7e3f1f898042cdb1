"""How a sweep is carried out, on this machine or on a Ray cluster: search, then confirm."""

from __future__ import annotations

import math
import threading
import time
from contextlib import suppress
from functools import partial
from typing import Protocol

from qipo_ray.cores import usable_cores
from qipo_ray.leaderboard.tables import counted
from qipo_ray.store.background import background
from qipo_ray.store.news import EVERY_S, News, RunningJob, Step, write_news
from qipo_ray.study.job_events import JobEvent
from qipo_ray.study.search_spec import Resources
from qipo_ray.sweep.confirm import ConfirmRun, confirm, confirm_runs, passes
from qipo_ray.sweep.dashboard import Dashboard
from qipo_ray.sweep.memory_plan import memory_line
from qipo_ray.sweep.search_state import SearchState
from qipo_ray.sweep.sweep_progress import SweepProgress
from qipo_ray.sweep.trial_runner import TrialRunner
from qipo_ray.train.local_service import LocalTrainingService
from qipo_ray.train.training_service import EVERYONE, ObservedService, TrainingService


class Screen(Protocol):
    """What a sweep tells its user; the command line draws it."""

    def line(self, text: str) -> None:
        """Print a line that stays."""

    def update(self, share: float, seconds_left: float | None, detail: str) -> None:
        """Show the share that is done, the time left, and what is being done."""


class SweepRun:
    """A sweep under way: its search, and the dashboards and the screen that follow it."""

    def __init__(
        self, search: SearchState, dashboard: Dashboard, screen: Screen, at_once: int | None
    ) -> None:
        """Take ``at_once``, the number of trials in flight; None: enough to fill the slots."""
        self.search, self.dashboard, self.screen = search, dashboard, screen
        self.progress = SweepProgress(slots=1)
        self._at_once = at_once
        self._noted = -EVERY_S

    def on_this_machine(self) -> None:
        """Run the sweep here, without Ray: one job per process at a time."""
        processes = count_processes(self.search.spec.resources)
        with LocalTrainingService(self.search.root, processes) as service:
            self._show_size(service.slots)
            observed = ObservedService(service, self._observe)
            self._run_trials(observed, self._trials_at_once(service.slots))
            self._confirm(observed)

    def on_ray(self, address: str | None, insecure: bool = False) -> None:
        """Run the sweep on a cluster: the training service, Tune for the search, then confirm."""
        from qipo_ray.distributed.ray_service import LOG, RayTrainingService

        log = self.search.root / LOG
        self.screen.line(f"starting the training service; what Ray says goes to {log}")
        resources = self.search.spec.resources
        with RayTrainingService.start(self.search.root, resources, address, insecure) as service:
            from qipo_ray.sweep.tune import run_trials  # Ray reads its environment when imported

            self._show_size(service.slots)
            observer = service.client()

            def observe(over: threading.Event) -> None:
                while not over.is_set():
                    for line in service.follow():
                        self.screen.line(line)
                    self.progress.slots = service.slots
                    self._observe(observer.poll(EVERYONE))

            with background(observe):
                client = service.client()
                run_trials(
                    self.search,
                    client,
                    lambda: self._trials_at_once(service.slots),
                    self.dashboard.follow_trial,
                )
                self._confirm(client)

    def _observe(self, events: list[JobEvent]) -> None:
        """Pass on events of jobs: to dashboards, the screen, and who looks from elsewhere."""
        self.dashboard.take(events)
        self.progress.take(events)
        share, left = self.progress.share(self.search), self.progress.seconds_left(self.search)
        if self.search.budget is not None and left is not None:
            left = min(left, max(0.0, self.search.budget.left))
        label = f"{counted(len(self.search.outcomes), 'trial')} ended"
        if events:
            last = events[-1]
            label += f", {last.snapshot.stage} {last.updates:,}/{last.snapshot.updates:,}"
        self.screen.update(share, left, label)
        if time.monotonic() - self._noted >= EVERY_S:
            self._noted = time.monotonic()
            with suppress(OSError):  # nothing rests on it
                write_news(self.search.root, self._news(share, left))

    def _news(self, share: float, left: float | None) -> News:
        jobs = [
            RunningJob(stage=ref.stage, key=ref.key, updates=updates, length=ref.updates)
            for ref, updates in self.progress.running()
        ]
        step: Step = "search" if self.progress.confirming is None else "confirm"
        return News(self.search.attempt, step, share, left, jobs)

    def _show_size(self, slots: int) -> None:
        """Take in how many jobs train at once, and say what memory that takes."""
        self.progress.slots = slots
        for dataset in self.search.datasets.values():
            self.screen.line(memory_line(self.search.spec, dataset, slots))

    def _trials_at_once(self, slots: int) -> int:
        return self._at_once or math.ceil(slots / len(self.search.spec.search_seeds))

    def _run_trials(self, service: TrainingService, at_once: int) -> None:
        """Run the search to its end, several trials at once."""
        running: list[TrialRunner] = []
        while True:
            while len(running) < at_once and (trial := self.search.next_trial()) is not None:
                self.dashboard.follow_trial(trial)
                dataset = self.search.dataset_ref(trial.task)
                decide = partial(self.search.at_rung, trial)
                running.append(TrialRunner(trial, dataset, service, decide))
            if not running:
                return
            for runner in list(running):
                if (outcome := runner.advance()) is not None:
                    self.search.end_trial(runner.trial, outcome)
                    running.remove(runner)

    def _confirm(self, service: TrainingService) -> None:
        self.search.check_ended()
        spec, planned = self.search.spec, confirm_runs(self.search)
        reported = sum(one.run.seed in spec.report_seeds for one in planned)
        begun = {one.run.seed for one in planned if one.record_id in self.search.records}
        seeds = begun | {*spec.report_seeds}
        done: set[int] = set()
        while runs := [one for one in planned if one.run.seed in seeds - done]:
            done |= seeds
            left = len(spec.report_seeds) + len(spec.race) - len(done)
            self._confirm_round(runs, left / len(seeds), service)
            planned = confirm_runs(self.search)
            further = [one for one in planned if one.run.seed not in done]  # a round of the race
            raced = len(done) - len(spec.report_seeds)
            if further and self.search.race_ends(raced, len(further) / reported):
                return
            seeds = {one.run.seed for one in further}

    def _confirm_round(
        self, planned: list[ConfirmRun], ahead: float, service: TrainingService
    ) -> None:
        """Carry out runs of the confirm step; so many times as many may follow in its race."""
        runs, *others = passes(planned)
        self.dashboard.follow_confirm(runs)
        jobs = [job for one in runs for job in one.run.jobs]
        self.progress.begin_confirm(jobs, ahead)
        distinct = len({job.snapshot for job in jobs})
        self.screen.line(f"confirming: {counted(len(runs), 'run')}, {counted(distinct, 'job')}")
        confirm(self.search, runs, service)
        for again in others:  # the same jobs, which act in one way at a time
            confirm(self.search, again, service)


def count_processes(resources: Resources) -> int:
    """Return the number of processes on this machine: the workers asked for, or one per core."""
    if resources.workers != "auto":
        return resources.workers
    return max(1, int(usable_cores() / resources.cpus))
