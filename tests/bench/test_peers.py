"""What stands beside QIPO on every file, and what it has to reach, from made-up records."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from qipo_ray.bench.outcome import BenchOutcome, outcome
from qipo_ray.bench.peers import BEST_TENTH, PEER_TASKS, beside, peer_cases
from qipo_ray.bench.peers_table import peer_requirements, peers_met, peers_plain, peers_table
from qipo_ray.config import config_hash, departures, load_config, stage_keys
from qipo_ray.errors import UserError
from qipo_ray.leaderboard.formats.markdown import section

Record = dict[str, Any]
SHA = "a" * 64
HOPPER = PEER_TASKS[1]
Outcomes = Callable[..., list[BenchOutcome]]


def test_baselines_are_the_preset_without_what_comes_after_cloning() -> None:
    qipo, cloning, best, iql, td3bc = (case.config for case in peer_cases(HOPPER, (200,)))
    assert qipo == load_config("auto")
    keys = [stage_keys(config, "t", SHA, 0)["behaviour"] for config in (qipo, cloning, best)]
    assert keys[0] == keys[1] != keys[2]  # one clone of all data, longer where it is the end
    assert cloning.behaviour.updates == best.behaviour.updates > qipo.behaviour.updates
    assert "best-episodes=0.1" in departures(best)
    assert (iql.policy.method, td3bc.policy.method) == ("iql", "td3bc")
    names = [case.name for case in peer_cases(HOPPER, (200,))]
    assert names == [
        "auto", "auto-cloning", "auto-cloning-of-the-best-tenth", "auto-iql", "auto-td3-bc",
    ]  # fmt: skip


def test_other_methods_stand_beside_it_where_they_are_named() -> None:
    cases = [*peer_cases(HOPPER, (200,), beside("fql, bestofn,qgpo,fql"))]
    assert [case.form for case in cases] == ["", "FQL", "best of N", "QGPO"]
    assert [case.config.policy.method for case in cases[1:]] == ["fql", "bestofn", "qgpo"]
    with pytest.raises(UserError, match="--methods 'iqll' .did you mean 'iql'.*: there are clon"):
        beside("fql,iqll")


@pytest.fixture
def outcomes(make_record: Callable[..., Record]) -> Outcomes:
    """Outcomes of the three methods on one file: scores by seed, and QIPO's clone."""

    def make(qipo: list[float], clone: float, cloning: float, best: float) -> list[BenchOutcome]:
        lines = []
        for case, scores in zip(
            peer_cases(HOPPER, (200, 201)),
            (qipo, [cloning] * 2, [best] * 2, [30.0] * 2, [20.0] * 2),
            strict=True,
        ):
            records = []
            for seed, score in enumerate(scores, 200):
                own = None if case.form else clone
                record = make_record(score, seed=seed, task=HOPPER.task, cloning=own)
                record["config_hash"] = config_hash(case.config)
                record["cost"]["cpu_s"] = 90.0
                records.append(record)
            lines.append(outcome(case, SHA, records))
        return lines

    return make


@pytest.mark.parametrize(
    ("qipo", "clone", "others", "reached"),
    [
        ([80.0, 90.0], 80.0, (70.0, 87.0), ["+0.0", "90.0", "-2.0"]),
        ([77.0, 90.0], 80.0, (70.0, 60.0), ["-3.0", "90.0", "+23.5"]),
        ([80.0, 90.0], 80.0, (99.0, 88.0), ["+0.0", "90.0", "-3.0"]),
    ],
    ids=["met", "below its clone", "below the best peer"],
)
def test_it_is_held_against_its_clone_and_the_best_other_method(
    outcomes: Outcomes,
    qipo: list[float],
    clone: float,
    others: tuple[float, float],
    reached: list[str],
) -> None:
    lines = outcomes(qipo, clone, *others)
    requirements = list(peer_requirements(lines[0], lines))
    assert [r.reached for r in requirements] == reached
    assert requirements[-1].name == f"mean ≥ that of {BEST_TENTH} - 2"  # not of cloning
    assert not list(peer_requirements(lines[1], lines))
    assert all(r.met for r in requirements) == (reached == ["+0.0", "90.0", "-2.0"])
    assert not peers_met(lines)  # on no file is it ahead by 5


def test_the_table_names_method_source_and_every_seed(outcomes: Outcomes) -> None:
    lines, sources = outcomes([80.0, 90.0], 80.0, 70.0, 60.0), {HOPPER.name: "generated"}
    text = section(peers_table(lines, sources))
    assert "| QIPO-OT | 85.0" in text and "80.0 90.0" in " ".join(text.split())
    assert f"| {HOPPER.name} | generated | {BEST_TENTH} | 60.0" in text
    numbers = json.loads(json.dumps(peers_plain(lines, sources)))
    assert numbers["met"] and len(numbers["lines"]) == 5
    assert numbers["overall"]["reached"] == "1 of 1"
    assert numbers["lines"][3]["method"] == "IQL"
    assert [seed["own_clone"] for seed in numbers["lines"][3]["seeds"]] == [None, None]
    assert numbers["lines"][0]["seeds"][1]["score"] == 90.0
    assert numbers["lines"][0]["seeds"][1]["own_clone"] == 80.0


def test_a_missing_seed_is_said_and_meets_nothing(outcomes: Outcomes) -> None:
    lines = outcomes([80.0], 80.0, 70.0, 60.0)
    assert not peers_met(lines)
    text = section(peers_table(lines, {HOPPER.name: "generated"}))
    assert "seed 201 is missing: no record" in text
