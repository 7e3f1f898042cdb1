"""Every check of a data file can fail, and a sound file passes all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fixtures.physics import STATES

from qipo_ray.data.tasks import get_task
from qipo_ray.evaluation.data_checks import check

TASK = get_task("hopper-medium-v2")


@pytest.fixture(scope="module")
def data(recorded):
    return recorded("hopper-medium-v2")


def verdicts(data, task=TASK) -> dict[str, str]:
    return {item.name: item.verdict for item in check(data, task)}


def test_a_sound_file(data) -> None:
    assert verdicts(data) == {
        "hash": "note",
        "contents": "ok",
        "actions": "ok",
        "ends": "ok",
        "replay": "ok",
        "rewards": "ok",
    }


def test_a_sound_file_of_the_simulators_of_d4rls_time(data) -> None:
    """Rows of MuJoCo 3.4.0: foreign to a newer one's own contacts."""
    with np.load(STATES) as file:
        rows = {name: file[name] for name in ("observations", "actions", "rewards")}
    count = len(rows["rewards"])
    ends = np.arange(count) == count - 1
    ant = replace(data, task_id="ant-medium-v2", rows=count, **rows)
    ant = replace(ant, terminals=np.zeros(count, bool), timeouts=ends)
    result = verdicts(ant, get_task("ant-medium-v2"))
    assert (result["replay"], result["rewards"]) == ("ok", "ok")


def test_the_published_hash(data) -> None:
    assert verdicts(replace(data, sha256=TASK.sha256))["hash"] == "ok"
    assert verdicts(replace(data, path=Path(TASK.filename)))["hash"] == "WRONG"
    assert verdicts(replace(data, claim="d4rl"))["hash"] == "WRONG"
    unknown = get_task("hopper-medium")
    (first, *_) = check(data, unknown)
    assert first.verdict == "note" and data.sha256 in first.words


def test_actions_out_of_bounds(data) -> None:
    actions = data.actions.copy()
    actions[3, 0] = 1.2
    assert verdicts(replace(data, actions=actions))["actions"] == "WRONG"


def test_episodes_that_never_end(data) -> None:
    never = np.zeros(data.rows, bool)
    assert verdicts(replace(data, terminals=never, timeouts=never))["ends"] == "WRONG"


def test_next_observations_of_other_rows(data) -> None:
    following = np.append(data.observations[1:], data.observations[:1], axis=0)
    assert verdicts(replace(data, next_observations=following))["next rows"] == "ok"
    assert verdicts(replace(data, next_observations=following[::-1]))["next rows"] == "WRONG"


def test_rewards_of_another_task(data) -> None:
    by_name = verdicts(replace(data, rewards=data.rewards[::-1].copy()))
    assert (by_name["replay"], by_name["rewards"]) == ("ok", "WRONG")


def test_a_foreign_file_is_named(data) -> None:
    mixed = np.random.default_rng(0).permutation(data.rows)
    foreign = replace(data, observations=data.observations[mixed])
    (line,) = [item for item in check(foreign, TASK) if item.name == "replay"]
    assert line.verdict == "WRONG" and "not of Hopper-v4" in line.words
    # The published file is beyond doubt: then it is the simulator that differs.
    assert verdicts(replace(foreign, sha256=TASK.sha256))["replay"] == "note"
