"""OGBench's single tasks beside the package itself: goals, starts, and when an arrival counts."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from fixtures.ogbench_table import BROKEN, environments, facts_of

from qipo_ray.data import ogbench_table
from qipo_ray.data.imports.ogbench import goal_of
from qipo_ray.data.imports.writer import import_data
from qipo_ray.data.load import load
from qipo_ray.data.tasks import get_task
from qipo_ray.errors import UserError
from qipo_ray.evaluation.data_checks import check
from qipo_ray.evaluation.generate import generate
from qipo_ray.evaluation.registry import make_env
from qipo_ray.evaluation.rollout import rollout
from qipo_ray.evaluation.score import score
from qipo_ray.evaluation.single_tasks import make
from qipo_ray.study.task_file import find_task

gymnasium = pytest.importorskip("gymnasium")
reason = "OGBench is not installed: NOT TESTED AGAINST IT"
ogbench = pytest.importorskip("ogbench", reason=reason)
pytestmark = pytest.mark.slow

MAZE = "pointmaze-medium-singletask-v0"


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Packages below OGBench warn of what they will drop."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize(
    "name",
    [
        MAZE,
        "antmaze-large-singletask-task3-v0",
        "humanoidmaze-medium-singletask-v0",
        "antsoccer-arena-singletask-task2-v0",
        "cube-double-singletask-task2-v0",
        "scene-singletask-task4-v0",
        "puzzle-3x3-singletask-task5-v0",
    ],
)
def test_rewards_and_masks_are_the_packages(name: str) -> None:
    """On states of which every part is reached in half of the rows, or by a hair not."""
    goal = goal_of(name)
    rng = np.random.default_rng(0)
    rows = 2_000
    qpos = rng.normal(size=(rows, goal.width)).astype(np.float32)
    for place in goal.places:
        near = rng.random(rows) < 0.7
        off = rng.normal(size=(rows, place.columns.stop - place.columns.start))
        off *= place.tolerance * rng.uniform(0.9, 1.1, (rows, 1)) / 2
        qpos[near, place.columns] = (place.target + off)[near]
    states = rng.integers(0, 2, (rows, len(goal.buttons)))
    wanted = rng.random((rows, 1)) < 0.3
    states = np.where(wanted, goal.buttons, states)
    theirs: dict[str, Any] = {"qpos": qpos, "button_states": states}
    environment = gymnasium.make(name)
    ogbench.relabel_utils.relabel_dataset(name, environment, theirs)
    environment.close()
    rewards, masks = goal.judge(qpos, states if len(goal.buttons) else None)
    np.testing.assert_array_equal(rewards, theirs["rewards"])
    np.testing.assert_array_equal(masks, theirs["masks"])
    assert rewards.dtype == theirs["rewards"].dtype and masks.dtype == theirs["masks"].dtype
    assert 0 < masks.mean() < 1


def trajectories(name: str, count: int, seed: int) -> dict[str, Any]:
    """What the package's scripts save: T + 1 states and actions, and where episodes end."""
    held, rng = make(name), np.random.default_rng(seed)
    goal = goal_of(name).places[0].target
    names = ("observations", "actions", "terminals", "qpos", "qvel")
    columns: dict[str, list[Any]] = {key: [] for key in names}
    for number in range(count):
        state, _ = held.reset(seed=number)
        if number % 2:  # so that some begin where the goal is
            held.unwrapped.set_xy(goal)
            state = held.unwrapped.get_ob()
        for step in range(15):
            action = rng.uniform(-1, 1, held.action_space.shape).astype(np.float32)
            rows = state, action, step == 14, held.unwrapped.data.qpos, held.unwrapped.data.qvel
            for key, row in zip(columns, rows, strict=True):
                columns[key].append(np.array(row, np.float32))
            state = held.step(action)[0]
    held.close()
    return {key: np.stack(rows) for key, rows in columns.items()}


def test_the_table_is_the_packages() -> None:
    """If this fails with a new release: ``python tests/fixtures/ogbench_table.py``."""
    rows = ogbench_table.table()["environments"]
    assert environments() == sorted([*rows, *BROKEN])
    for name, row in rows.items():
        assert {key: row[key] for key in row if key != "data"} == facts_of(name), name


@pytest.mark.parametrize("kind", ["pointmaze-medium", "antmaze-medium", "cube-single"])
def test_an_episode_of_a_task_of_the_table(kind: str) -> None:
    """As Gymnasium's own environment steps it; the horizon is its time limit."""
    data = "play" if kind == "cube-single" else "navigate"
    task = get_task(f"{kind}-{data}-singletask-task3-v0")
    actions = np.random.default_rng(0).uniform(-1, 1, (task.horizon, task.sizes[1]))
    seen = []

    def policy(observations: np.ndarray, live: np.ndarray) -> np.ndarray:
        seen.append(observations[0])
        return actions[len(seen) - 1][None]

    held = rollout(task, policy, [1001])
    theirs = make(f"{kind}-singletask-task3-v0")
    state, _ = theirs.reset(seed=1001)
    rewards = []
    for action, expected in zip(actions, seen, strict=True):
        np.testing.assert_allclose(np.float32(state), expected, rtol=0, atol=1e-6)
        state, reward, ended, cut, _ = theirs.step(action)
        rewards.append(reward)
    theirs.close()
    assert cut and not ended and held.returns[0] == sum(rewards) == task.ref_min
    assert score(task, held, 1)["normalised"] == 0


def test_arriving_is_a_success() -> None:
    """Whoever stands at the goal has reached it with the first step."""
    task = get_task("pointmaze-medium-navigate-singletask-v0")
    environments = make_env(task)
    environments.reset([0])
    environments._envs[0]._core.set_xy(goal_of(task.simulator).places[0].target)
    step = environments.step(np.array([0]), np.zeros((1, 2)))
    assert (step.rewards[0], step.terminated[0], step.success[0]) == (0.0, True, True)
    environments.close()


@pytest.mark.parametrize(
    "domain", ["antmaze-medium-navigate", "cube-single-play", "pointmaze-medium-navigate"]
)
def test_generated_stand_ins(domain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal bytes for all tasks of a data set; actions lead from state to state."""
    monkeypatch.setattr("qipo_ray.evaluation.single_task_rows.STEPS", 50)
    tasks = [f"{domain}-singletask-task{number}" for number in (1, 4)]
    one, other = (generate(task, tmp_path / f"{task}.npz", rows=70, seed=3) for task in tasks)
    assert one.read_bytes() == other.read_bytes()
    data = load(tasks[0], one)
    assert data.source == "generated" and data.rows == 70
    assert data.episodes.tolist() == [[0, 50], [50, 70]] or data.terminals.any()
    assert np.abs(data.actions).max() <= 1 < np.abs(data.observations).max()
    moved = np.abs(data.next_observations - data.observations).max(axis=1)
    assert (moved > 0).mean() > 0.9
    np.testing.assert_array_equal(data.observations[1:50], data.next_observations[:49])
    if domain.startswith("antmaze"):
        assert check(data, get_task(tasks[0]))[-1].verdict == "ok"  # by a replay
    if domain.startswith("cube"):
        assert (data.observations[:50, 18] > 0.5).any(), "the arm never grasped the cube"


def test_training_and_validation_files_as_the_package_reads_them(tmp_path: Path) -> None:
    name, data = "antmaze-medium-singletask-v0", "antmaze-medium-navigate-v0"
    paths = [tmp_path / f"{data}.npz", tmp_path / f"{data}-val.npz"]
    for seed, path in enumerate(paths):
        np.savez(path, **trajectories(name, 4, seed))
    asked = "antmaze-medium-navigate-singletask-v0"
    environment, *theirs = ogbench.make_env_and_datasets(asked, dataset_path=str(paths[0]))
    environment.close()
    for path, expected in zip(paths, theirs, strict=True):
        new = path.with_suffix(".hdf5")
        rows, _ = import_data(str(path), new, None, (), goal_of(name), lambda done, total: None)
        with h5py.File(new) as file:
            assert file.attrs["source"] == f"OGBench's {path.stem}, rewards of {name}"
            for key in ("observations", "actions", "next_observations", "rewards"):
                np.testing.assert_array_equal(file[key][...], expected[key])
            np.testing.assert_array_equal(file["terminals"][...], expected["masks"] == 0)
            cuts = file["timeouts"][...] | file["terminals"][...]
            np.testing.assert_array_equal(
                file["timeouts"][...], (expected["terminals"] == 1) & (expected["masks"] == 1)
            )
        assert rows == 4 * 14 and 0 < expected["masks"].mean() < 1 and cuts.sum() >= 4
        direct = load("antmaze-medium-navigate-singletask-v0", path)  # without an import
        for key in ("observations", "actions", "next_observations", "rewards"):
            np.testing.assert_array_equal(getattr(direct, key), expected[key])
        np.testing.assert_array_equal(direct.terminals, expected["masks"] == 0)
        assert direct.source == "other" and any("ogbench 1.2.1" in n for n in direct.notes)


@pytest.mark.parametrize("name", [MAZE, "pointmaze-teleport-singletask-v0"])
def test_a_seed_gives_a_start_and_an_episode(name: str) -> None:
    """The package's own mazes start elsewhere each time, from NumPy's global generator."""
    held = make(name)

    def episode(seed: int) -> np.ndarray:
        first, _ = held.reset(seed=seed)
        np.random.uniform()  # somebody else's draw in between
        rng = np.random.default_rng(0)
        steps = [held.step(rng.uniform(-1, 1, 2).astype(np.float32))[0] for _ in range(60)]
        return np.stack([first, *steps])

    np.random.seed(3)
    one, other, again = (episode(seed) for seed in (7, 8, 7))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one[0], other[0])
    assert np.random.uniform() == np.random.RandomState(3).uniform(size=4)[3]  # nobody drew more
    raw = gymnasium.make(name)
    assert not np.array_equal(raw.reset(seed=7)[0], raw.reset(seed=7)[0])
    held.close()
    raw.close()


def test_an_arrival_with_the_last_allowed_step_does_not_count() -> None:
    goal, held = goal_of(MAZE), make(MAZE, max_episode_steps=2)
    target = goal.places[0].target
    held.reset(seed=0)
    held.unwrapped.set_xy(target - np.array([1.05, 0.0]))
    action = np.array([1.0, 0.0], np.float32)
    _, reward, ended, cut, info = held.step(action)
    assert np.linalg.norm(held.unwrapped.get_xy() - target) <= goal.places[0].tolerance
    assert (reward, ended, cut, info["success"]) == (-1.0, False, False, 0.0)
    _, reward, ended, _, info = held.step(action)  # one step later it does
    assert (reward, ended, info["success"]) == (0.0, True, 1.0)
    held.close()


def test_a_task_file_names_one(tmp_path: Path) -> None:
    """As docs/data.md has it: every verb takes the file, and starts go by their seeds."""
    (tmp_path / "maze.yaml").write_text(f"""\
task: maze
environment: qipo_ray.evaluation.single_tasks:make
arguments: {{environment: {MAZE}}}
horizon: 1000
references: [-1000, 0]
success: success
""")
    task = find_task(str(tmp_path / "maze.yaml"))
    environments = make_env(task)
    first, second = environments.reset([7, 8]).copy(), environments.reset([7, 7])
    assert np.array_equal(first[0], second[0]) and np.array_equal(second[0], second[1])
    assert not np.array_equal(first[0], first[1])
    environments.close()


def test_names_that_are_none() -> None:
    for name in ("pointmaze-medum-singletask-v0", "visual-antmaze-medium-singletask-v0"):
        with pytest.raises(UserError, match="has no single task .*did you mean"):
            goal_of(name)
