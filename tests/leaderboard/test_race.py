"""Who gets more report seeds, and when it ends: on scores that are drawn, or chosen by hand."""

from __future__ import annotations

import random
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from qipo_ray.config import config_hash, load_config, override
from qipo_ray.leaderboard.race import Race, race_of
from qipo_ray.store.records import new_id
from qipo_ray.study.selection import SelectedConfig

BASE = load_config("quickstart")
REPORT, RACE = (100, 101, 102), tuple(range(110, 116))
Scores = Mapping[tuple[str, str, int], float | None]  # by name, task and seed


def spec(tasks: tuple[str, ...] = ("point",), race: tuple[int, ...] = RACE) -> Any:
    """What a race reads of a specification."""
    return SimpleNamespace(name="s", tasks=tasks, report_seeds=REPORT, race=race)


def selected(task: str, name: str) -> SelectedConfig:
    config = override(BASE, [f"policy.beta={ord(name)}"])
    return SelectedConfig(task, config, name, None, 0, contender=(name,))


def race(asked: Any, names: str, scores: Scores) -> Race:
    configs = [selected(task, name) for task in asked.tasks for name in names]
    records = {}
    for (name, task, seed), score in scores.items():
        digest = config_hash(selected(task, name).config)
        last = None if score is None else {"normalised": score}
        identity = new_id("s", "confirm", task, digest, seed)
        records[identity] = {"final": {"last": last}}
    return race_of(asked, configs, records)


def run(asked: Any, means: Mapping[str, float], deviation: float) -> tuple[Race, Scores]:
    """Train what a race asks for until it asks for nothing more, as a sweep does."""
    draw = random.Random(1)
    scores: dict[tuple[str, str, int], float | None] = {}
    state = Race({(name,): () for name in means}, (), None)
    while state.end is None:
        for (name,), seeds in state.seeds.items():
            for task in asked.tasks:
                for seed in (*REPORT, *seeds):
                    value = draw.gauss(means[str(name)], deviation)
                    scores.setdefault((str(name), task, seed), value)
        state = race(asked, "".join(means), scores)
    return state, scores


def test_seeds_go_to_those_that_are_not_clearly_worse() -> None:
    """Two that are equal come to the end; the worse one drops out as soon as pairs allow it."""
    state, scores = run(spec(), {"a": 60.0, "b": 60.0, "c": 20.0}, 3.0)
    assert {name for (name,) in state.still_in} == {"a", "b"}
    assert state.end == "its seeds are used up" and state.begun == RACE
    assert state.seeds["a",] == state.seeds["b",] == RACE
    # With n pairs p is never below 2 / 2^n: six are needed for less than 0.05.
    assert state.seeds["c",] == RACE[:3] and len(scores) == 2 * 9 + 6


def test_the_question_ends_the_race_sooner_where_tasks_give_more_pairs() -> None:
    state, _ = run(spec(("point", "hopper-medium-v2")), {"a": 60.0, "b": 20.0}, 3.0)
    assert state.still_in == (("a",),) and state.end == "no other is still in it"
    assert state.begun == ()  # three seeds on two tasks are six pairs


def test_a_round_is_waited_for_and_comes_out_the_same_after_a_resume() -> None:
    _, scores = run(spec(), {"a": 60.0, "b": 60.0}, 3.0)
    first = {key: value for key, value in scores.items() if key[2] in REPORT}
    assert race(spec(), "ab", first) == race(spec(), "ab", first | {("a", "point", 110): 1.0})
    state = race(spec(), "ab", first)
    assert state.end is None and state.begun == RACE[:1]
    assert not any(race(spec(), "ab", {("a", "point", 100): 1.0}).seeds.values())


@pytest.mark.parametrize("name", ["a", "b"])
def test_who_broke_on_a_seed_is_out(name: str) -> None:
    scores = {(n, "point", s): float(s + ord(n)) for n in "abc" for s in REPORT}
    state = race(spec(), "abc", scores | {(name, "point", 101): None})
    assert (name,) not in state.still_in and not state.seeds[name,]
    assert len(state.still_in) == 2 and state.begun == RACE[:1]


def test_what_one_task_lacks_does_not_race_and_without_seeds_nobody_does() -> None:
    asked = spec(("point", "hopper-medium-v2"))
    configs = [selected("point", "a"), *(selected(t, n) for t in asked.tasks for n in "bc")]
    assert {*race_of(asked, configs, {}).still_in} == {("b",), ("c",)}
    without = race(spec(race=()), "ab", {})
    assert without.end == "there is none" and without.begun == ()
