"""The environments of users' own tasks: units, keys, limits, and what is refused."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from fixtures.own_tasks import PENDULUM, REACH

from qipo_ray.data.tasks import Task
from qipo_ray.errors import Failure, UserError
from qipo_ray.evaluation.own_env import OwnEnv
from qipo_ray.evaluation.registry import make_env
from qipo_ray.evaluation.rollout import rollout
from qipo_ray.study.task_file import read_task


def task_of(folder: Path, text: str, **changes: str) -> Task:
    for before, after in changes.items():
        text = "".join(
            f"{before}: {after}\n" if line.startswith(f"{before}:") else line
            for line in text.splitlines(keepends=True)
        )
    path = folder / "task.yaml"
    path.write_text(text)
    return read_task(path)


def test_actions_are_in_the_environments_unit(tmp_path: Path) -> None:
    own, plain = OwnEnv(task_of(tmp_path, PENDULUM)), gymnasium.make("Pendulum-v1")
    assert np.array_equal(own.reset(7), plain.reset(seed=7)[0])
    for action in (-1.0, 0.25, 1.0):
        step = own.step(np.array([action]))
        observation, reward, *_ = plain.step(np.array([2 * action], np.float32))
        assert np.array_equal(step.observation, observation) and step.reward == reward
        assert not step.terminated and not step.success


def test_a_rollout_ends_at_the_tasks_horizon(tmp_path: Path) -> None:
    task = task_of(tmp_path, PENDULUM, horizon="30")
    ended = rollout(task, lambda seen, live: np.zeros((len(live), 1)), [1, 2])
    assert ended.lengths.tolist() == [30, 30] and ended.success is None


def test_a_dictionary_is_flattened_in_the_order_of_the_file(reach: Path) -> None:
    task = read_task(reach)
    env = OwnEnv(task)
    seen = env.reset(0)
    assert env.observation_size == 4 and seen[:2].tolist() == [0, 0] and seen[2:].min() > 0
    swapped = replace(task.own, observations=("goal", "axis", "point")) if task.own else None
    other = OwnEnv(replace(task, own=swapped)).reset(0)
    assert other.tolist() == [*seen[2:], 1, 1, 0, 0]
    step = env.step(np.array([1.0, -1.0]))  # the environment itself refuses what is outside
    assert step.observation[:2] == pytest.approx([2.5 / 30, 0])
    goal = np.array([(2 * 30 * 0.02 * seen[2] / 2.5), 0])  # towards it, until it is there
    steps = [env.step(np.clip(goal, -1, 1) * [1, 0] + [0, seen[3] * 0.6 - 1]) for _ in range(99)]
    assert any(step.success and step.terminated for step in steps)
    ended = rollout(task, lambda seen, live: np.ones((len(live), 2)), [1, 2, 3])
    assert ended.success is not None and ended.success.dtype == bool


def test_states_are_set_where_the_environment_can(reach: Path, tmp_path: Path) -> None:
    env = OwnEnv(read_task(reach))
    env.reset(0)
    assert env.set_state(np.array([1.0, 2.0, 0.5, 0.25]))
    step = env.step(np.array([0.0, -1.0]))
    assert step.observation.tolist() == pytest.approx([1, 2, 0.5, 0.25])
    pendulum = OwnEnv(task_of(tmp_path, PENDULUM))
    assert not pendulum.set_state(pendulum.reset(0))


def test_states_of_gymnasiums_mujoco_are_set_and_seen(tmp_path: Path) -> None:
    text = PENDULUM.replace("Pendulum-v1", "InvertedPendulum-v5").replace("[-2, 2]", "[-3, 3]")
    env = OwnEnv(task_of(tmp_path, text))
    env.reset(0)
    state = np.array([0.1, 0.05, -0.2, 0.3])
    assert env.set_state(state)
    first = env.step(np.array([0.5])).observation
    env.reset(1)
    assert env.set_state(state) and np.array_equal(env.step(np.array([0.5])).observation, first)
    reacher = OwnEnv(task_of(tmp_path, PENDULUM.replace("Pendulum-v1", "Reacher-v5").replace(
        "[-2, 2]", "[-1, 1]")))  # fmt: skip
    assert not reacher.set_state(reacher.reset(0))  # what it shows is no state


def spaces(**kinds: Any) -> type[gymnasium.Env[Any, Any]]:
    """Return an environment class with other spaces, whose observations are zeros."""
    box = gymnasium.spaces.Box(-1, 1, (2,))
    taken = {"observation_space": box, "action_space": box, **kinds}

    def reset(self: object, *, seed: int | None = None, options: object = None) -> Any:
        return np.zeros(3), {}

    return type("Other", (gymnasium.Env,), {**taken, "reset": reset})


BOX, DISCRETE = gymnasium.spaces.Box, gymnasium.spaces.Discrete(3)


@pytest.mark.parametrize(
    ("kinds", "keys", "words"),
    [
        ({"action_space": DISCRETE}, "[]", "actions: those of others:make are Discrete(3); only"),
        ({"action_space": BOX(0, 5, (2,), int)}, "[]", "only continuous ones (a Box of floats)"),
        ({"action_space": BOX(-np.inf, 1, (2,))}, "[]", "expected a vector and finite bounds"),
        ({"action_space": BOX(-1, 1, (2, 2))}, "[]", "expected a vector and finite bounds"),
        ({"action_space": BOX(-2, 2, (2,))}, "[]", "are [-2, 2], not [-1, 1]"),
        (
            {"action_space": BOX(np.float32([-1, -2]), np.float32([1, 2]))},
            "[]",
            "are [[-1, -2], [1, 2]], not [-1, 1]",
        ),
        ({"observation_space": DISCRETE}, "[]", "observations: others:make has Discrete(3)"),
        ({}, "[goal]", "are no dictionary with keys goal"),
        (
            {"observation_space": gymnasium.spaces.Dict(b=DISCRETE, a=BOX(0, 1, (1,)))},
            "[]",
            "are a dictionary; list the keys in the order of the data's columns, of",
        ),
        (
            {"observation_space": gymnasium.spaces.Dict(point=BOX(0, 1, (1,)))},
            "[pont]",
            "has no 'pont' (did you mean 'point'?); it has point",
        ),
        (
            {"observation_space": gymnasium.spaces.Dict(b=DISCRETE)},
            "[b]",
            "has 'b' Discrete(3); a Box is read",
        ),
    ],
)
def test_what_cannot_be_trained_is_refused_by_name(
    kinds: dict[str, Any],
    keys: str,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = type(sys)("others")
    module.__dict__["make"] = spaces(**kinds)
    monkeypatch.setitem(sys.modules, "others", module)
    text = PENDULUM.replace("Pendulum-v1", "others:make").replace("actions: [-2, 2]\n", "")
    task = task_of(tmp_path, text + f"observations: {keys}\n")
    with pytest.raises(UserError) as error:
        make_env(task)
    assert str(error.value).startswith(f"{tmp_path / 'task.yaml'}: ") and words in str(error.value)


def test_an_observation_of_another_size_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = type(sys)("others")
    module.__dict__["make"] = spaces()
    monkeypatch.setitem(sys.modules, "others", module)
    text = PENDULUM.replace("Pendulum-v1", "others:make").replace("actions: [-2, 2]\n", "")
    with pytest.raises(UserError, match="has 3 numbers; expected are 2 finite ones"):
        OwnEnv(task_of(tmp_path, text)).reset(0)


def stepping(
    folder: Path, monkeypatch: pytest.MonkeyPatch, given: Any, **attributes: Any
) -> OwnEnv:
    """Return an own environment whose ``step`` gives one thing each time."""
    kind = spaces(step=lambda self, action: given, **attributes)
    monkeypatch.setitem(sys.modules, "others", type(sys)("others"))
    sys.modules["others"].__dict__["make"] = kind
    text = PENDULUM.replace("Pendulum-v1", "others:make").replace("actions: [-2, 2]\n", "")
    return OwnEnv(task_of(folder, text + "success: there\n"))


ZEROS = np.zeros(2)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            (ZEROS, "much", False, False, {}),
            "a reward of others:make is 'much'; expected is a fin",
        ),
        ((ZEROS, None, False, False, {}), "a reward of others:make is None; expected is a finite"),
        ((ZEROS, ZEROS, False, False, {}), r"a reward of others:make is array\(\[0., 0.\]\); exp"),
        (
            (ZEROS, np.nan, False, False, {}),
            "a reward of others:make is nan; expected is a finite",
        ),
        ((["a", "b"], 0.0, False, False, {}), "others:make raised ValueError: could not convert"),
        ((ZEROS, 0.0, False, {}), "others:make raised ValueError: not enough values to unpack"),
        ((ZEROS, 0.0, False, False, 3), "others:make raised TypeError"),
    ],
)
def test_what_a_step_gives_is_held_to_gymnasiums_types(
    given: Any, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = stepping(tmp_path, monkeypatch, given)
    kind = Failure if "raised" in words else UserError
    with pytest.raises(kind, match=f"task.yaml: environment: {words}") as error:
        env.step(ZEROS)
    assert "\n" not in str(error.value)


def test_no_info_is_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env = stepping(tmp_path, monkeypatch, (ZEROS, np.ones(1), False, False, None))
    step = env.step(ZEROS)
    assert (step.reward, step.success, env.success_seen) == (1.0, False, False)


def test_a_model_that_is_not_mujocos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    more = {"model": "a network", "set_state": None, "_get_obs": None}
    assert not stepping(tmp_path, monkeypatch, None, **more).set_state(ZEROS)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        (
            "Pendulm-v1",
            "'Pendulm-v1' is no id that Gymnasium knows here (did you mean 'Pendulum-v1'",
        ),
        ("Robot/Arm-v1", "is no id that Gymnasium knows here"),
        ("reacher_env:broken", "reacher_env:broken raised ValueError: no robot is here"),
        ("reacher_env:Reachr", "reacher_env has no 'Reachr' (did you mean 'Reacher'?)"),
        ("reacher_env:Robot-v0", "'reacher_env:Robot-v0' is no id that Gymnasium knows here"),
        ("no_module:make", "raised ModuleNotFoundError: No module named 'no_module'"),
        ("reacher_env:Reacher", "raised TypeError"),
    ],
)
def test_what_cannot_be_made_is_one_line(
    environment: str, words: str, reach: Path, tmp_path: Path
) -> None:
    task = task_of(tmp_path, REACH, environment=environment, arguments="{speed: 1}")
    if "broken" in environment or "-v1" in environment:
        task = task_of(tmp_path, REACH, environment=environment, arguments="{}")
    with pytest.raises(UserError) as error:
        make_env(task)
    text = str(error.value)
    assert text.startswith(f"{tmp_path / 'task.yaml'}: environment: ") and words in text
    assert "\n" not in text


def test_another_module_of_the_same_name_is_never_taken(reach: Path, tmp_path: Path) -> None:
    make_env(read_task(reach)).close()
    other = tmp_path / "other"
    other.mkdir()
    for name in (reach.name, "reacher_env.py"):
        (other / name).write_text((reach.parent / name).read_text())
    with pytest.raises(UserError, match="was imported before under that name") as caught:
        make_env(read_task(other / reach.name))
    text = str(caught.value)
    assert str(other / "reacher_env.py") in text and str(reach.parent / "reacher_env.py") in text
    make_env(read_task(reach)).close()


def test_what_a_results_folder_names_is_never_imported(reach: Path, tmp_path: Path) -> None:
    task = read_task(reach)
    assert task.own is not None
    foreign = replace(task, own=replace(task.own, file=None))
    with pytest.raises(UserError, match="known from a results folder alone"):
        make_env(foreign)
    assert "reacher_env" not in sys.modules
