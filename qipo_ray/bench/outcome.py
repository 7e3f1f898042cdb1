"""What came of the benchmark's runs, from their records alone, and which numbers were reached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from qipo_ray.bench.learning import Case
from qipo_ray.config import config_hash
from qipo_ray.leaderboard.statistics.bootstrap import Estimate, estimate
from qipo_ray.leaderboard.statistics.point_estimates import mean_of

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Requirement:
    """A number to reach, and what was reached."""

    name: str
    reached: str
    met: bool


@dataclass(frozen=True)
class BenchOutcome:
    """A line's finished runs by seed, and why others are missing."""

    case: Case
    runs: Mapping[int, Record]
    missing: Mapping[int, str]

    @property
    def gains(self) -> dict[int, float]:
        """The last policy's score minus that of the run's own cloning, by seed, if it has one."""
        return {seed: self.scores[seed] - score for seed, score in self.cloned.items()}

    @property
    def scores(self) -> dict[int, float]:
        """The last policy's score, by seed."""
        return {seed: _last(run) for seed, run in self.runs.items()}

    @property
    def cloned(self) -> dict[int, float]:
        """The score of the cloning that a run built on, by seed, where it has one."""
        runs = self.runs.items()
        return {seed: _cloned(run) for seed, run in runs if run["behaviour_cloning"] is not None}

    @property
    def greedy(self) -> dict[int, float]:
        """The best of 16 by Q minus cloning, by seed, where it was scored."""
        reports = ((seed, run, run.get("critic_report")) for seed, run in self.runs.items())
        return {
            seed: float(report["best_of"]["normalised"]) - _cloned(run)
            for seed, run, report in reports
            if report and report["best_of"]
        }

    @property
    def cpu_s(self) -> list[float | None]:
        """The CPU seconds that each run was trained for; None where they were not counted."""
        return [run["cost"].get("cpu_s") for run in self.runs.values()]

    @property
    def warnings(self) -> dict[int, list[str]]:
        """What the critic report warns of, by seed."""
        reports = ((seed, run.get("critic_report")) for seed, run in self.runs.items())
        return {seed: report["warnings"] for seed, report in reports if report}

    @property
    def mean(self) -> Estimate | None:
        """The mean gain with its interval over training seeds; None without a run."""
        if not self.runs:
            return None
        gains = np.array(list(self.gains.values()))
        return estimate({self.case.task.task: gains}, mean_of, np.random.default_rng(0))

    def requirements(self) -> list[Requirement]:
        """Return the line's numbers to reach; none of them is met while a seed is missing."""
        return [
            Requirement(name, reached if self.runs else "no run", met and not self.missing)
            for name, reached, met in self._reached()
        ]

    def _reached(self) -> Iterator[tuple[str, str, bool]]:
        """Yield every number to reach: its name, what was reached, and whether that is enough."""
        limits, gains = self.case.limits, list(self.gains.values())
        low, mean = min(gains, default=0.0), fmean(gains) if gains else 0.0
        if limits.every_seed is not None:
            yield f"each seed ≥ {limits.every_seed:+g}", f"{low:+.1f}", low >= limits.every_seed
        if limits.mean is not None:
            yield f"mean ≥ {limits.mean:+g}", f"{mean:+.1f}", mean >= limits.mean
        if limits.within is not None:
            far = max(gains, key=abs, default=0.0)
            yield f"each seed within ±{limits.within:g}", f"{far:+.1f}", abs(far) <= limits.within
        if limits.cpu_s is not None:
            seconds = [run_s for run_s in self.cpu_s if run_s is not None]
            longest, counted = max(seconds, default=0.0), len(seconds) == len(gains)
            reached = f"{longest:.1f}" if counted else "not counted"
            yield f"≤ {limits.cpu_s:g} CPU s", reached, counted and longest <= limits.cpu_s
        if limits.warned:
            warned = sum(map(bool, self.warnings.values()))
            reached = f"{warned} of {len(gains)}"
            yield "the critic report warns on each seed", reached, warned == len(gains)


def outcome(case: Case, sha256: str, records: Sequence[Record]) -> BenchOutcome:
    """Return what came of a line on the data ``sha256``; ``records`` may hold others' runs."""
    identity = case.task.task, config_hash(case.config), sha256
    by_seed = {
        record["seed"]: record
        for record in records
        if (record["task"], record["config_hash"], record["data"]["sha256"]) == identity
        and record["purpose"] == "single"
    }
    runs = {
        s: by_seed[s] for s in case.seeds if s in by_seed and by_seed[s]["state"] == "finished"
    }
    missing = {s: _why(by_seed.get(s)) for s in case.seeds if s not in runs}
    return BenchOutcome(case, runs, missing)


def _why(record: Record | None) -> str:
    return "no record" if record is None else f"{record['state']}: {record['reason']}"


def _last(record: Record) -> float:
    return float(record["final"]["last"]["normalised"])


def _cloned(record: Record) -> float:
    return float(record["behaviour_cloning"]["normalised"])
