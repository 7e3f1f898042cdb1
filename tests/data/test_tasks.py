from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest

from qipo_ray.data.tasks import GENERATORS, SUCCESS_RATES, get_task, physics, task_ids
from qipo_ray.errors import UserError


def test_facts_of_well_known_tasks() -> None:
    hopper = get_task("hopper-medium-replay-v2")
    assert (hopper.family, hopper.simulator, hopper.horizon) == ("locomotion", "Hopper-v4", 1000)
    assert (hopper.ref_min, hopper.ref_max) == (-20.272305, 3234.3)
    assert hopper.filename == "hopper_medium_replay-v2.hdf5" and hopper.bytes == 75_854_457
    assert hopper.reward_rule == "return-range" and not hopper.generated
    umaze = get_task("antmaze-umaze-v2")
    assert (umaze.horizon, umaze.reward_rule, umaze.simulator) == (
        700,
        "minus-one",
        "antmaze-umaze",
    )
    assert get_task("maze2d-large-dense-v1").simulator == "maze2d-large-dense"
    assert get_task("walker2d-expert-v2").simulator == "Walker2d-v4"
    assert get_task("pen-human-v1").horizon == 100
    assert get_task("kitchen-mixed-v0").sizes == (60, 9)
    assert get_task("ant-medium-v2").sizes == (111, 8)
    assert get_task("antmaze-large-play-v2").sizes == (29, 8)


def test_table_covers_d4rl_ogbench_their_twins_and_point() -> None:
    tasks = [get_task(task_id) for task_id in task_ids()]
    published = [task for task in tasks if not task.generated]
    singles = [task for task in published if task.family == "ogbench"]
    assert len(published) == 148 + 5 * 47 and len(singles) == 5 * 47
    assert {task.family for task in published} - {"ogbench"} == {
        "locomotion",
        "antmaze",
        "maze2d",
        "adroit",
        "kitchen",
    }
    assert len([task for task in tasks if task.family == "point"]) == 1
    bases = {task.id.rpartition("-v")[0] for task in published}
    singles_made = {task.id for task in tasks if task.twin_of and task.family == "ogbench"}
    assert singles_made == {task for task in GENERATORS if "-singletask-" in task} < bases
    d4rls = {base for base in bases if "-singletask-" not in base}
    assert {task.id for task in tasks if task.twin_of} == d4rls | singles_made


@pytest.mark.parametrize("task_id", task_ids())
def test_every_row_is_sound(task_id: str) -> None:
    task = get_task(task_id)
    assert task.id == task_id and task.ref_max > task.ref_min and task.horizon > 0
    assert task.notes and all("\n" not in note for note in task.notes)
    assert task.sizes is not None
    if task.generated:
        assert task.url is task.filename is task.bytes is task.sha256 is None
    else:
        assert task.url.endswith("/" + task.filename) and "/" not in task.filename
        assert task.sha256 is None or re.fullmatch("[0-9a-f]{64}", task.sha256)
        assert (task.sha256 is None) == (task.bytes is None)


@pytest.mark.parametrize(
    ("alias", "task_id"),
    [
        ("cube-single-play-singletask-v0", "cube-single-play-singletask-task2-v0"),
        ("puzzle-4x4-noisy-singletask-v0", "puzzle-4x4-noisy-singletask-task4-v0"),
        ("cube-single-play-singletask", "cube-single-play-singletask-task2"),
    ],
)
def test_single_tasks_of_ogbench(alias: str, task_id: str) -> None:
    """An alias is another name of one task, so that no table holds it twice."""
    task = get_task(alias)
    assert task is get_task(task_id) and task.id == task_id and alias not in task_ids()
    assert task.scores == SUCCESS_RATES and task.settings == {"evaluation.final_episodes": 50}
    assert task.group == alias.partition("-singletask")[0] and physics(task_id) == 1
    assert any("its name may go without" in note for note in task.notes)


def test_a_single_task_is_no_task_of_d4rls_antmaze() -> None:
    """Both begin with antmaze-large."""
    task = get_task("antmaze-large-navigate-singletask-task3-v0")
    assert (task.simulator, task.horizon) == ("antmaze-large-singletask-task3-v0", 1000)
    assert (task.reward_rule, physics(task.id), task.sizes) == ("raw", 1, (29, 8))
    assert (task.ref_min, task.ref_max) == (-1000, 0)
    assert get_task("scene-play-singletask-task1-v0").ref_min == -5 * 750  # cube, 2 buttons, ...


def test_twin_is_its_newest_version_but_for_the_file() -> None:
    twin, real = get_task("maze2d-umaze"), get_task("maze2d-umaze-v1")
    assert twin.twin_of == real.id and twin.generated
    assert (twin.simulator, twin.horizon, twin.ref_min, twin.ref_max, twin.reward_rule) == (
        real.simulator,
        real.horizon,
        real.ref_min,
        real.ref_max,
        real.reward_rule,
    )
    assert twin.notes[: len(real.notes)] == real.notes and "comparable" in twin.notes[-1]
    assert get_task("hopper-random").twin_of == "hopper-random-v2"


def test_older_versions_name_the_newest() -> None:
    assert any("hopper-medium-v2" in note for note in get_task("hopper-medium-v0").notes)
    assert not any("newer" in note for note in get_task("hopper-medium-v2").notes)


@pytest.mark.parametrize(
    ("task_id", "expected"),
    [
        ("hopper-medium-v3", "hopper-medium-v0, hopper-medium-v1, hopper-medium-v2"),
        ("flow-ring-random-v0", "not supported"),
        ("carla-lane-v0", "not supported"),
        ("bullet-hopper-medium-v0", "not supported"),
        ("minigrid-fourrooms-v0", "not supported"),
        ("hoper-medium-v2", "did you mean 'hopper-medium-v2'?"),
        ("maze2d-umase", "did you mean 'maze2d-umaze'?"),
        ("cube-singel-play-singletask-v0", "did you mean 'cube-single-play-singletask-task"),
        ("cube-single-play-singletask-task6-v0", "did you mean 'cube-single-play-singletask-"),
        ("scene-play-singletask", "did you mean 'scene-play-singletask-task"),
        ("", "unknown task ''"),
        ("../hopper", "unknown task"),
        ("x" * 10_000, "unknown task"),
    ],
)
def test_refusals_are_one_line(task_id: str, expected: str) -> None:
    with pytest.raises(UserError, match=re.escape(expected)) as caught:
        get_task(task_id)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_point_reference_returns_agree_with_a_fresh_measurement() -> None:
    rng = np.random.default_rng(7)
    goal, episodes = np.array([0.6, 0.6]), 20_000

    def behaviour(x: np.ndarray) -> np.ndarray:
        angle = rng.integers(8, size=episodes) * np.pi / 4
        heading = 0.9 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return np.clip(heading + 0.15 * rng.standard_normal(x.shape), -1, 1)

    def best(x: np.ndarray) -> np.ndarray:
        return np.clip((goal - x) / 0.15, -1, 1)

    def mean_return(control) -> float:
        x, total = rng.uniform(-1, 1, (episodes, 2)), np.zeros(episodes)
        for _ in range(25):
            x = np.clip(x + 0.15 * control(x) + 0.01 * rng.standard_normal(x.shape), -1, 1)
            total -= np.linalg.norm(x - goal, axis=1)
        return float(total.mean())

    point = get_task("point")
    assert point.horizon == 25 and point.generated and point.sizes == (2, 2)
    assert mean_return(behaviour) == pytest.approx(point.ref_min, abs=0.35)  # four errors
    assert mean_return(best) == pytest.approx(point.ref_max, abs=0.08)


def test_the_table_needs_the_standard_library_alone() -> None:
    code = (
        "import sys, qipo_ray.data.tasks as t; t.get_task('point');"
        "sys.exit(bool({'numpy', 'h5py', 'torch', 'yaml'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
