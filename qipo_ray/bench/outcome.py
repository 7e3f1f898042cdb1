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
class Demand:
    """A number to reach, and what was reached."""

    what: str
    seen: str
    met: bool


@dataclass(frozen=True)
class BenchOutcome:
    """A line's finished runs by seed, and why others are missing."""

    case: Case
    runs: Mapping[int, Record]
    missing: Mapping[int, str]

    @property
    def gains(self) -> dict[int, float]:
        """The last policy's score minus that of the run's own cloning, by seed."""
        return {seed: _last(one) - _cloned(one) for seed, one in self.runs.items()}

    @property
    def cloned(self) -> dict[int, float]:
        """The score of cloning, by seed."""
        return {seed: _cloned(one) for seed, one in self.runs.items()}

    @property
    def greedy(self) -> dict[int, float]:
        """The best of 16 by Q minus cloning, by seed, where it was scored."""
        reports = ((seed, one, one.get("critic_report")) for seed, one in self.runs.items())
        return {
            seed: float(report["best_of"]["normalised"]) - _cloned(one)
            for seed, one, report in reports
            if report and report["best_of"]
        }

    @property
    def cpu_s(self) -> list[float | None]:
        """The CPU seconds that each run was trained for; None where they were not counted."""
        return [one["cost"].get("cpu_s") for one in self.runs.values()]

    @property
    def warnings(self) -> dict[int, list[str]]:
        """What the critic report warns of, by seed."""
        reports = ((seed, one.get("critic_report")) for seed, one in self.runs.items())
        return {seed: report["warnings"] for seed, report in reports if report}

    @property
    def mean(self) -> Estimate | None:
        """The mean gain with its interval over training seeds; None without a run."""
        if not self.runs:
            return None
        gains = np.array(list(self.gains.values()))
        return estimate({self.case.task.task: gains}, mean_of, np.random.default_rng(0))

    def demands(self) -> list[Demand]:
        """Return the line's numbers to reach; none of them is met while a seed is missing."""
        return [
            Demand(what, seen if self.runs else "no run", met and not self.missing)
            for what, seen, met in self._judged()
        ]

    def _judged(self) -> Iterator[tuple[str, str, bool]]:
        """Yield every demand: what, seen, and whether the runs that are there meet it."""
        limits, gains = self.case.limits, list(self.gains.values())
        low, mean = min(gains, default=0.0), fmean(gains) if gains else 0.0
        if limits.each is not None:
            yield f"each seed ≥ {limits.each:+g}", f"{low:+.1f}", low >= limits.each
        if limits.mean is not None:
            yield f"mean ≥ {limits.mean:+g}", f"{mean:+.1f}", mean >= limits.mean
        if limits.within is not None:
            far = max(gains, key=abs, default=0.0)
            yield f"each seed within ±{limits.within:g}", f"{far:+.1f}", abs(far) <= limits.within
        if limits.cpu_s is not None:
            known = [seconds for seconds in self.cpu_s if seconds is not None]
            most, counted = max(known, default=0.0), len(known) == len(gains)
            seen = f"{most:.1f}" if counted else "not counted"
            yield f"≤ {limits.cpu_s:g} CPU s", seen, counted and most <= limits.cpu_s
        if limits.warned:
            warned = sum(bool(words) for words in self.warnings.values())
            seen = f"{warned} of {len(gains)}"
            yield "the critic report warns on each seed", seen, warned == len(gains)


def outcome(case: Case, sha256: str, records: Sequence[Record]) -> BenchOutcome:
    """Return what came of a line on the data ``sha256``; ``records`` may hold others' runs."""
    wanted = case.task.task, config_hash(case.config), sha256
    own = {
        one["seed"]: one
        for one in records
        if (one["task"], one["config_hash"], one["data"]["sha256"]) == wanted
        and one["purpose"] == "single"
    }
    runs = {s: own[s] for s in case.seeds if s in own and own[s]["state"] == "finished"}
    missing = {s: _why(own.get(s)) for s in case.seeds if s not in runs}
    return BenchOutcome(case, runs, missing)


def _why(record: Record | None) -> str:
    return "no record" if record is None else f"{record['state']}: {record['reason']}"


def _last(record: Record) -> float:
    return float(record["final"]["last"]["normalised"])


def _cloned(record: Record) -> float:
    return float(record["behaviour_cloning"]["normalised"])
