"""The requirements and the table from made-up records: met, not met, missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from qipo_ray.bench.learning import BenchLimits, Case, cases, chosen
from qipo_ray.bench.outcome import BenchOutcome, Requirement, outcome
from qipo_ray.bench.table import met, plain, table
from qipo_ray.config import config_hash
from qipo_ray.leaderboard.formats.markdown import section

Record = dict[str, Any]
Make = Callable[..., Record]
SHA = "a" * 64


def case(limits: BenchLimits) -> Case:
    (point,) = chosen("point")
    return replace(next(cases(point, (100, 101, 102), False)), limits=limits)


@pytest.fixture
def judged(make_record: Make) -> Callable[..., BenchOutcome]:
    """The outcome of gains by seed, 100 and on, against limits."""

    def make(limits: BenchLimits, *gains: float | None, **changes: Any) -> BenchOutcome:
        line = case(limits)
        records = []
        for seed, gain in enumerate(gains, 100):
            if gain is None:
                continue
            record = make_record(10 + gain, seed=seed, task="point", cloning=10.0)
            record["config_hash"] = config_hash(line.config)
            record["cost"]["cpu_s"] = changes.get("cpu_s", 20.0)
            record["critic_report"] = {
                "warnings": changes.get("warnings", []),
                "best_of": {"normalised": 40.0},
            }
            records.append(record)
        return outcome(line, SHA, records)

    return make


@pytest.mark.parametrize(
    ("limits", "gains", "requirement"),
    [
        (
            BenchLimits(every_seed=40),
            (40.0, 60.0, 50.0),
            Requirement("each seed ≥ +40", "+40.0", True),
        ),
        (
            BenchLimits(every_seed=40),
            (39.9, 60.0, 50.0),
            Requirement("each seed ≥ +40", "+39.9", False),
        ),
        (
            BenchLimits(every_seed=-3),
            (-3.1, 60.0, 50.0),
            Requirement("each seed ≥ -3", "-3.1", False),
        ),
        (BenchLimits(mean=20), (0.0, 20.0, 40.0), Requirement("mean ≥ +20", "+20.0", True)),
        (BenchLimits(mean=20), (0.0, 20.0, 39.0), Requirement("mean ≥ +20", "+19.7", False)),
        (BenchLimits(mean=-2), (-2.0, -2.0, -2.5), Requirement("mean ≥ -2", "-2.2", False)),
        (
            BenchLimits(within=12),
            (-12.0, -6.0, 11.0),
            Requirement("each seed within ±12", "-12.0", True),
        ),
        (
            BenchLimits(within=12),
            (13.0, -6.0, 0.0),
            Requirement("each seed within ±12", "+13.0", False),
        ),
        (BenchLimits(cpu_s=20), (1.0, 1.0, 1.0), Requirement("≤ 20 CPU s", "20.0", True)),
        (BenchLimits(cpu_s=19), (1.0, 1.0, 1.0), Requirement("≤ 19 CPU s", "20.0", False)),
        (
            BenchLimits(every_seed=0),
            (1.0, None, 1.0),
            Requirement("each seed ≥ +0", "+1.0", False),
        ),
        (BenchLimits(mean=0), (None, None, None), Requirement("mean ≥ +0", "no run", False)),
    ],
)
def test_a_requirement_is_met_by_all_its_seeds_or_not(
    judged: Callable[..., BenchOutcome],
    limits: BenchLimits,
    gains: tuple[float, ...],
    requirement: Requirement,
) -> None:
    assert judged(limits, *gains).requirements() == [requirement]


def test_seconds_that_were_not_counted_and_missing_warnings_are_not_met(
    judged: Callable[..., BenchOutcome],
) -> None:
    (unknown,) = judged(BenchLimits(cpu_s=30), 1.0, 1.0, 1.0, cpu_s=None).requirements()
    assert (unknown.reached, unknown.met) == ("not counted", False)
    (silent,) = judged(BenchLimits(warned=True), 1.0, 1.0, 1.0).requirements()
    assert (silent.reached, silent.met) == ("0 of 3", False)
    (warned,) = judged(
        BenchLimits(warned=True), 1.0, 1.0, 1.0, warnings=["nothing: why"]
    ).requirements()
    assert (warned.reached, warned.met) == ("3 of 3", True)


def test_only_own_finished_runs_count(make_record: Make) -> None:
    line = case(BenchLimits(every_seed=0))
    same = {"config_hash": config_hash(line.config)}
    records = [
        make_record(50.0, seed=100, task="point") | same,
        make_record(90.0, seed=101, task="point"),  # other settings
        make_record(90.0, seed=101, task="maze2d-umaze") | same,
        make_record(90.0, seed=101, task="point", sha256="b" * 64) | same,
        make_record(90.0, seed=101, task="point", purpose="search") | same,
        make_record(None, seed=102, task="point", state="diverged") | same,
    ]
    result = outcome(line, SHA, records)
    assert result.gains == {100: 40.0}
    assert result.missing == {101: "no record", 102: "diverged: as asked"}
    (requirement,) = result.requirements()
    assert not requirement.met
    assert result.greedy == {} and result.warnings == {}  # a record older than the report


def test_the_table_and_the_json_say_all(judged: Callable[..., BenchOutcome]) -> None:
    good = judged(BenchLimits(every_seed=40, cpu_s=30), 50.0, 60.0, 70.0, warnings=["little: so"])
    bad = judged(BenchLimits(mean=20), 1.0, None, 3.0)
    free = judged(BenchLimits(), 5.0)
    summary = table([good, bad, free])
    rows = [dict(zip([c.key for c in summary.columns], row, strict=True)) for row in summary.rows]
    assert [row["met"] for row in rows] == ["yes", "NO", None]
    assert rows[0]["gains"] == "+50.0  +60.0  +70.0" and rows[0]["mean"].value == 60.0
    interval = rows[0]["mean"].interval
    assert 50.0 <= interval.low < 60.0 < interval.high <= 70.0
    assert rows[0]["greedy"].value == 30.0 and rows[0]["cloned"].value == 10.0
    assert rows[0]["demands"] == "each seed ≥ +40: +50.0; ≤ 30 CPU s: 20.0"
    assert "point QIPO-OT, critic report: little (3 of 3 seeds)." in summary.notes
    assert "point QIPO-OT, seed 101 is missing: no record." in summary.notes
    assert met([good, free]) and not met([good, bad])
    numbers = plain([good, bad])
    assert json.loads(json.dumps(numbers, allow_nan=False)) == numbers
    assert numbers["lines"][1]["demands"] == [{"what": "mean ≥ +20", "seen": "+2.0", "met": False}]
    assert numbers["met"] is False and numbers["lines"][1]["missing"][0]["seed"] == 101
    assert numbers["lines"][0]["seeds"][0]["best_of_16_gain"] == 30.0
    text = section(summary)
    assert "| point | QIPO-OT | +50.0 +60.0 +70.0 |" in text and "Made by qipo\\_ray" in text
