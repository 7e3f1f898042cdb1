"""The view of one run: passes its numbers from the store to a logger, each step once."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator

from qipo_ray.evaluation.score import normalised
from qipo_ray.study.job import Job, Run
from qipo_ray.study.job_events import Score
from qipo_ray.study.objective import SIGNALS, measured
from qipo_ray.tracking.loggers import Logger, LogRow
from qipo_ray.train.engine import LOG_EVERY
from qipo_ray.train.job_store import JobStore
from qipo_ray.train.metrics import read_metrics
from qipo_ray.train.stage_reports import scalars_of

POINTS = 500  # of a stage's curve, at most: more than a page shows
SIGMAS = 1.96  # of the normal 95 % interval over episodes


class RunLogger:
    """Logs one run: metrics by stage, scores with an interval, speed, reports.

    All of it comes from the store, so a view opened after a resume logs everything again. A
    stage of more than 50,000 updates is logged as means over equal windows.
    """

    def __init__(self, run: Run, job_store: JobStore, logger: Logger) -> None:
        self.run, self.jobs, self.results, self.logger = run, run.jobs, job_store, logger
        self.written = dict.fromkeys((job.stage for job in self.jobs), 0)
        self.scored: set[tuple[str, int, int]] = set()
        self.reported: set[str] = set()  # stages
        self.timed: dict[str, tuple[int, float]] = {}  # updates and seconds by stage

    def sync(self) -> None:
        """Write what the store gained since the last call."""
        start = 0
        for job in self.jobs:
            rows = [*self._metrics(job, start), *self._pace(job, start)]
            rows += self._report(job, start)
            if job.stage != "critic":
                rows += self._scores(job, start)
            rows.sort(key=lambda row: row.total)
            if rows:
                self.logger.write(rows)
            start += job.length

    def close(self) -> None:
        """Write the rest and close the logger."""
        self.sync()
        self.logger.close()

    def _metrics(self, job: Job, start: int) -> Iterator[LogRow]:
        """Yield the means of whole windows; the last window ends with the stage."""
        width = LOG_EVERY * math.ceil(job.length / (LOG_EVERY * POINTS))
        window = []
        for row in read_metrics(self.results.artefacts.folder(job.stage, job.key)):
            updates = int(row.pop("updates"))
            if not self.written[job.stage] < updates <= job.length:
                continue
            window.append(row)
            if updates % width == 0 or updates + LOG_EVERY > job.length:
                means = {
                    f"{job.stage}/{name}": statistics.fmean(entry[name] for entry in window)
                    for name in row
                }
                yield LogRow(updates, start + updates, means)
                self.written[job.stage], window = updates, []

    def _pace(self, job: Job, start: int) -> Iterator[LogRow]:
        """Yield the updates per second of training between the snapshots in the store."""
        artefacts = self.results.artefacts
        before, spent = self.timed.get(job.stage, (0, 0.0))
        for updates in artefacts.lengths(job.stage, job.key):
            if not before < updates <= job.length:
                continue
            artefact = artefacts.find(job.stage, job.key, updates)
            if artefact is not None and artefact.seconds > spent:
                pace = (updates - before) / (artefact.seconds - spent)
                before, spent = self.timed[job.stage] = (updates, artefact.seconds)
                yield LogRow(updates, start + updates, {f"{job.stage}/updates_per_s": pace})

    def _report(self, job: Job, start: int) -> Iterator[LogRow]:
        """Yield the report of a stage when it is complete, at its end."""
        report = None if job.stage in self.reported else self.results.report(job)
        if report is None:
            return
        if job.stage == "policy" or report["best_of"] is not None or not job.evaluations:
            self.reported.add(job.stage)
            yield LogRow(job.length, start + job.length, scalars_of(job.stage, report))

    def _scores(self, job: Job, start: int) -> Iterator[LogRow]:
        """Yield new scores and signals; cloning's is at 0, where the policy stage begins."""
        for point in job.evaluations:
            name = (job.stage, point.updates, point.episodes)
            score = None if name in self.scored else self.results.score(job, point)
            if score is not None:
                self.scored.add(name)
                updates = point.updates if job.stage == "policy" else 0
                values = self._values if point.kind == "score" else _signal_values
                yield LogRow(updates, start + point.updates, values(score))

    def _values(self, score: Score) -> dict[str, float]:
        """Return a score's values by tag, with the 95 % interval over episodes."""
        mean, episodes = score["mean"], score["episodes"]
        values = {"score/normalised": score["normalised"], "score/return": mean}
        if score["success"] is not None:
            values["score/success"] = score["success"]
        if episodes > 1:
            error = SIGMAS * score["std"] / math.sqrt(episodes - 1)  # std is the population's
            task = self.run.task_facts
            if task.by_success:
                share = score["success"]
                error = 100 * SIGMAS * math.sqrt(share * (1 - share) / (episodes - 1))
                low, high = score["normalised"] - error, score["normalised"] + error
            else:
                low, high = normalised(task, mean - error), normalised(task, mean + error)
            values |= {"score/low": low, "score/high": high}
        return values


def _signal_values(signals: Score) -> dict[str, float]:
    """Return the signals that are known, by tag."""
    values = {name: measured(name, signals) for name in SIGNALS}
    return {f"signals/{name}": value for name, value in values.items() if value is not None}
