"""Files in OGBench's layout, with rewards that are computed a second way, state by state."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qipo_ray.data.imports.ogbench import Goal, Place, goal_of
from qipo_ray.errors import UserError

WIDTH, LENGTHS = 6, (4, 6, 3)  # states of each trajectory
GOAL = Goal(
    environment="scene-singletask-v0",
    version="1.2.1",
    width=WIDTH,
    places=(
        Place(slice(0, 3), np.array([0.1, 0.2, 0.3]), 0.04),
        Place(slice(4, 5), np.array([-0.5]), 0.04),
    ),
    buttons=np.array([1, 0]),
)
PLAIN = Goal("pointmaze-medium-singletask-v0", "1.2.1", WIDTH, GOAL.places[:1], np.array([], int))


def columns(seed: int = 0) -> dict[str, Any]:
    """States of which each part is reached about half of the time."""
    rng = np.random.default_rng(seed)
    rows = sum(LENGTHS)
    qpos = rng.normal(size=(rows, WIDTH)).astype(np.float32)
    near = rng.random((rows, 2)) < 0.6
    qpos[near[:, 0], :3] = np.float32([0.1, 0.2, 0.32])
    qpos[near[:, 1], 4] = -0.48
    ends = np.zeros(rows, np.float32)
    ends[np.cumsum(LENGTHS) - 1] = 1
    return {
        "observations": rng.normal(size=(rows, 3)).astype(np.float32),
        "actions": rng.uniform(-1, 1, (rows, 2)).astype(np.float32),
        "terminals": ends,
        "qpos": qpos,
        "qvel": qpos,
        "button_states": rng.integers(0, 2, (rows, 2)),
    }


def write(path: Path, held: dict[str, Any]) -> Path:
    np.savez_compressed(path, **held)
    return path


def expected(held: dict[str, Any], goal: Goal) -> tuple[list[float], list[bool]]:
    """Rewards and ends of the states in which actions were taken."""
    rewards, ends = [], []
    for row, last in enumerate(held["terminals"]):
        if last:
            continue
        reached = []
        for place in goal.places:
            far = held["qpos"][row, place.columns].astype(float) - place.target
            reached.append(sum(far**2) ** 0.5 <= place.tolerance)
        for state, target in zip(held["button_states"][row], goal.buttons, strict=False):
            reached.append(bool(state == target))
        rewards.append(float(sum(reached) - len(reached)))
        ends.append(all(reached))
    return rewards, ends


def test_goals_of_an_environment_without_a_data_set_of_its_own() -> None:
    goal = goal_of("cube-octuple-singletask-v0")
    assert len(goal.places) == 8 and goal.width == 14 + 8 * 7
    with pytest.raises(UserError, match="has no single task 'cube-octuple-singletask-task6-v0'"):
        goal_of("cube-octuple-singletask-task6-v0")


@pytest.mark.parametrize("goal", [GOAL, PLAIN])
def test_trajectories_and_rewards(goal: Goal, tmp_path: Path, imported) -> None:
    """The last state of a trajectory has no action; a goal that is reached is a terminal."""
    held = columns()
    data = imported(write(tmp_path / "scene-play-v0.npz", held), goal=goal)
    keep = held["terminals"] == 0
    np.testing.assert_array_equal(data["observations"], held["observations"][keep])
    np.testing.assert_array_equal(data["actions"], held["actions"][keep])
    after = np.roll(held["observations"], -1, axis=0)[keep]
    np.testing.assert_array_equal(data["next_observations"], after)
    rewards, ends = expected(held, goal)
    assert data["rewards"].tolist() == rewards and data["terminals"].tolist() == ends
    assert 0 < sum(ends) < len(ends) and len(set(rewards)) == len(goal.places) + (
        len(goal.buttons) + 1
    )
    stops = np.cumsum([length - 1 for length in LENGTHS]) - 1
    assert np.flatnonzero(data["timeouts"] | data["terminals"])[-1] == stops[-1]
    assert not (data["timeouts"] & data["terminals"]).any()
    assert data["origin"] == f"OGBench's scene-play-v0, rewards of {goal.environment}"
    assert "of the state before the action, as since its 1.2.0" in data["notes"][0]
    assert ("is of pointmaze-medium" in data["notes"][-1]) == (goal is PLAIN)


def test_the_same_rows_as_the_package(tmp_path: Path, imported) -> None:
    utils = pytest.importorskip("ogbench.utils", reason="OGBench is not installed")
    path = write(tmp_path / "scene-play-v0-val.npz", columns(seed=1))
    theirs = utils.load_dataset(path)
    data = imported(path, goal=GOAL)
    for name in ("observations", "actions", "next_observations"):
        np.testing.assert_array_equal(data[name], theirs[name])
    last = np.flatnonzero(theirs["terminals"])
    assert (data["timeouts"] | data["terminals"])[last].all()
    assert np.isin(np.flatnonzero(data["timeouts"]), last).all()


Change = Callable[[dict[str, Any]], Any]
FAULTS: dict[str, tuple[Change, Goal | None, str]] = {
    "no task": (lambda held: None, None, "has no rewards: for a file of OGBench's, name a single"),
    "no buttons": (lambda held: held.pop("button_states"), GOAL, "misses button_states of OGBe"),
    "another robot": (
        lambda held: held.update(qpos=held["qpos"][:, :5]),
        GOAL,
        r"qpos have shape \(13, 5\); scene-singletask-v0 has 6 numbers a row",
    ),
    "cut short": (
        lambda held: held.update({key: values[:-1] for key, values in held.items()}),
        GOAL,
        "terminals do not end the last trajectory: the file is cut short",
    ),
    "not finite": (
        lambda held: held["qpos"].__setitem__((5, 0), np.nan),
        GOAL,
        "trajectory 1/qpos hold NaN or infinite numbers, as in row 1",
    ),
    "no rows": (
        lambda held: held.update({key: np.float32(1) for key in held}),
        GOAL,
        "observations have no rows",
    ),
    "no numbers": (
        lambda held: held.update(observations=np.zeros((13, 0))),
        GOAL,
        "trajectory 0/observations have no numbers in a row",
    ),
    "one button": (
        lambda held: held.update(button_states=held["button_states"][:, :1]),
        GOAL,
        r"button_states have shape \(13, 1\); scene-singletask-v0 has 2 buttons",
    ),
    "three buttons": (
        lambda held: held.update(button_states=np.zeros((13, 3))),
        GOAL,
        r"button_states have shape \(13, 3\); scene-singletask-v0 has 2 buttons",
    ),
    "buttons in a line": (
        lambda held: held.update(button_states=np.zeros(13)),
        GOAL,
        r"button_states have shape \(13,\); scene-singletask-v0 has 2 buttons",
    ),
    "buttons in words": (
        lambda held: held.update(button_states=np.full((13, 2), "on")),
        GOAL,
        "trajectory 0/button_states have type <U2; expected numbers",
    ),
    "of other lengths": (
        lambda held: held.update(actions=held["actions"][:-1]),
        GOAL,
        "has columns of different lengths",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_named(name: str, tmp_path: Path, imported) -> None:
    change, goal, words = FAULTS[name]
    held = columns()
    change(held)
    with pytest.raises(UserError, match=words):
        imported(write(tmp_path / "scene-play-v0.npz", held), goal=goal)


def test_rewards_of_another_source(tmp_path: Path, imported) -> None:
    with pytest.raises(UserError, match="--rewards is for OGBench's .npz files"):
        imported(tmp_path, goal=GOAL)
